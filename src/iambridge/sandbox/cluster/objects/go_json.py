"""Go's words for JSON that cannot be read. Source: encoding/json's scanner."""

import json

_EXPECTED = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Expecting value": "looking for beginning of value",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}
END = "unexpected end of JSON input"


def of_json_error(error: Exception) -> str:
    """What encoding/json says where Python's parser raised `error`."""
    if not isinstance(error, json.JSONDecodeError):
        return f"invalid character: {error}"
    text, place = error.doc, error.pos
    while place < len(text) and text[place] in " \t\r\n" and not error.msg.startswith("Invalid control"):
        place += 1
    if place >= len(text) or error.msg.startswith("Unterminated"):
        return END
    expected = next((words for start, words in _EXPECTED.items() if error.msg.startswith(start)), "")
    if expected == "after object key:value pair" and _inside_array(text[:place]):
        expected = "after array element"
    char = "'\\''" if text[place] == "'" else f"'{text[place]}'" if text[place].isprintable() else repr(text[place])
    return f"invalid character {char} {expected}".rstrip()


def _inside_array(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of `text` is a list's."""
    quoted, escaped, opened = False, False, list[str]()
    for char in text:
        if quoted:
            quoted, escaped = (escaped or char != '"'), (char == "\\" and not escaped)
        elif char == '"':
            quoted = True
        elif char in "[{":
            opened.append(char)
        elif char in "]}" and opened:
            opened.pop()
    return bool(opened) and opened[-1] == "["
