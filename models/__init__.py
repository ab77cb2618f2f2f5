"""What perceives and what speaks: picture, text, speech and page readers, language models."""
