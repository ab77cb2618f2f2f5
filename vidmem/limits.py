"""How much of a video or a recording is taken in: every number beyond which one is refused or cut.

Whoever opens a file that meets one of them is told which. Time and memory are limited besides, for
what decodes is a process of its own (``models/child.py``).
"""

from __future__ import annotations

MAX_SIDE_PX = 16_384
MAX_PICTURE_PX = 2**26  # 8K film has half as many; a frame of this size takes 200 MB decoded
MAX_STREAMS = 100  # pictures, sounds and subtitles in one file
MAX_CHANNELS = 64
SOUND_RATES_HZ = (1_000, 768_000)
MAX_REACH_S = 100 * 3600.0  # what comes later than this is passed over, whatever the file says
LONGEST_HOLE_S = 3600.0  # between frames or sounds; a longer one is damage, not a slow film
MAX_CUES = 100_000  # of a subtitle track: a day has 86,400 seconds
MAX_CUE_CHARS = 2_000
MAX_TRACK_CHARS = 10_000_000  # of all cues together: a day of speech has a tenth

# Formats that are lists of other files, addresses or devices: a file must not open another.
NAMING_OTHERS = frozenset(
    "hls applehttp concat dash webm_dash_manifest imf mlv sdp rtp rtsp sap lavfi image2 image2pipe "
    "vobsub avisynth vapoursynth ffmetadata tty alsa oss pulse jack sndio fbdev kmsgrab v4l2 "
    "video4linux2 x11grab xcbgrab libcdio iec61883 dshow gdigrab vfwcap avfoundation".split()
)


def why_picture_refused(width: int, height: int) -> str:
    """Say why no frame of this size is decoded; empty where one is."""
    if max(width, height) > MAX_SIDE_PX:
        return f"{width} × {height} pixels; memqa takes up to {MAX_SIDE_PX:,} on a side"
    if width * height > MAX_PICTURE_PX:
        return f"{width} × {height} pixels; memqa takes up to {MAX_PICTURE_PX / 1e6:.0f} million"
    return ""


def why_sound_refused(rate_hz: int, channels: int) -> str:
    """Say why no sound of this rate and these channels is decoded; empty where it is."""
    if not SOUND_RATES_HZ[0] <= rate_hz <= SOUND_RATES_HZ[1]:
        least, most = SOUND_RATES_HZ
        return f"{rate_hz:,} samples a second; memqa takes {least:,} to {most:,}"
    if not 1 <= channels <= MAX_CHANNELS:
        return f"{channels:,} channels; memqa takes 1 to {MAX_CHANNELS}"
    return ""
