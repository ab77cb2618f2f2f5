"""Names that files may have and that whoever shows them may stumble over."""

from __future__ import annotations

LINE = "FORGED LINE"  # what a name with a line end in it would have stand on a line of its own

NAMES: dict[str, str] = {
    "newline": f"a\n{LINE}: all is well.md",
    "return": f"b\r{LINE}.md",
    "colours": "c\x1b[31mred\x1b[2J.md",
    "link": "d\x1b]8;;http:⁄⁄192.0.2.1⁄x\x07click\x1b]8;;\x07.md",
    "one-byte control": "e\x9b31m\x85next.md",
    "bell": "f\x07\x08\x08\x7f.md",
    "turned round": "g\u202edm.exe\u2066x.md",
    "unseen": "h\u200b\u200d\ufeff\u2028\u2029.md",
    "html": "i<img src=x onerror=alert(1)>.md",
    "script": "j\"><script>alert(1)<⁄script><b title='.md",
    "shell": "k$(touch pwned)`touch pwned`;touch pwned|x&.md",
    "dashes": "--help.md",
    "dash": "-rf.md",
    "markup": "l[red]x[⁄nope] [bold.md",
    "markup that ends nothing": "m[/b].md".replace("/", "∕"),
    "braces": "n{0}{task.description}%s%n%(x)s.md",
    "dots": "o..∕..∕etc.md",
    "quotes": "p'\"‘’“”`.md",
    "blanks": "q  and   more .md",
    "long": "r" * 240 + ".md",
    "markdown": "s](http:192.0.2.1) **x** |.md",
    "null in words": "t\\0\\u0000%00.md",
}
NOT_UTF8 = b"caf\xe9.md"
