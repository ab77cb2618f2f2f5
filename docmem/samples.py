"""Small documents of our own, to try out what a model can do: four parts, a question to each.

The questions use other words than the parts, as people do; everything in them is made up.
"""

from __future__ import annotations

from typing import TypeAlias

Part: TypeAlias = tuple[str, str]  # a text, and a question that only it answers

SAMPLES: tuple[tuple[Part, Part, Part, Part], ...] = (
    (
        (
            "The lighthouse on Skarholm was built in 1874 from granite of the mainland. Masons from"
            " three villages worked on it for two summers.",
            "Out of which stone is the tower on the island made?",
        ),
        (
            "Ingrid Holm tended the lamp for thirty-one years. She wrote down every ship that"
            " passed, and never once left the island in winter.",
            "Who looked after the light the longest?",
        ),
        (
            "A storm in November 1921 broke four panes of the lantern. The repair cost 640 crowns,"
            " which the pilots' guild paid.",
            "Who bore the expense when the glass was damaged?",
        ),
        (
            "Since 1983 the light runs by itself. Solar cells on the store house charge its"
            " batteries, and a boat visits twice a year.",
            "How is the lamp supplied with power today?",
        ),
    ),
    (
        (
            "Revenue of the year was 48.2 million euros, 6 percent more than the year before. Most"
            " of the growth came from spare parts.",
            "What did the company take in over the twelve months?",
        ),
        (
            "At the end of the year 312 people worked for the group, 20 of them apprentices. The"
            " plant in Tarn hired most.",
            "How large is the staff?",
        ),
        (
            "The board proposes to pay 1.10 euros a share. The meeting of shareholders decides on"
            " it on the ninth of May.",
            "Which dividend is suggested to the owners?",
        ),
        (
            "The largest risk is the price of copper. A rise of ten percent would lower the profit"
            " by 0.9 million euros.",
            "Which raw material worries the managers most?",
        ),
    ),
    (
        (
            "We trained the network for 40 epochs on eight cards. A run took nineteen hours, and"
            " the learning rate was halved every ten epochs.",
            "How long does it take to fit the model once?",
        ),
        (
            "The corpus holds 12,400 recordings of birds from 62 species. Volunteers labelled each"
            " of them twice.",
            "Where do the annotations come from?",
        ),
        (
            "Our method names the right species in 81 percent of the recordings, the baseline in"
            " 74. Most mistakes are between warblers.",
            "How accurate is the approach that is proposed?",
        ),
        (
            "Wind and rain lower the accuracy by a third. We did not record at night, so owls are"
            " missing altogether.",
            "Which animals are absent from the study, and why?",
        ),
    ),
    (
        (
            "Before the first use, rinse the tank with two litres of water. Never use vinegar, for"
            " it attacks the seals.",
            "What may I not clean the machine with?",
        ),
        (
            "When the red lamp blinks, the grinder is blocked. Unplug the device, take out the"
            " hopper and remove the beans.",
            "What does it mean if a warning light flashes?",
        ),
        (
            "The pump gives 15 bar and the boiler heats up in 40 seconds. The device weighs 7.3"
            " kilograms without water.",
            "How heavy is the appliance?",
        ),
        (
            "The maker repairs faults free of charge for three years. Keep the receipt, and send"
            " the device in its box to the workshop in Brno.",
            "Until when is the repair at no cost?",
        ),
    ),
    (
        (
            "Marta: We should move the launch to the twelfth of June. The printers need another"
            " week, and nobody wants a half-finished catalogue.",
            "When shall the product come out, and who wants it so?",
        ),
        (
            "Tomas: The budget is spent except for 900. I would rather drop the film than the"
            " posters.",
            "Which advertising would be cut first?",
        ),
        (
            "Lena: Two customers sent back their lamps because the cable is too short. We ought to"
            " add half a metre.",
            "Why were goods returned?",
        ),
        (
            "Piet: From Monday on I am in Lisbon for the fair. Call me only after six in the"
            " evening.",
            "Who will be travelling next week?",
        ),
    ),
    (
        (
            "Captain Orr counted the barrels again. There were eleven, and there had been twelve at"
            " noon.",
            "What went missing from the ship?",
        ),
        (
            "Below deck the boy kept the parrot under his coat. It had belonged to his father, and"
            " it knew only one word.",
            "Which animal was being hidden, and by whom?",
        ),
        (
            "Fog lay over the strait for three days. On the fourth morning they saw how near the"
            " rocks had been.",
            "What kept the crew from seeing the danger?",
        ),
        (
            "In the harbour a letter waited. The company had sold the vessel, and no wages would be"
            " paid before spring.",
            "What news did the sailors get on shore?",
        ),
    ),
)
