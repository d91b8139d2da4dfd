package wire

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the decoded text of a checked string to dst. A lone surrogate
// becomes U+FFFD, as in encoding/json; so does an escape that is cut off.
func unescape(dst, b []byte) []byte {
	for {
		n := bytes.IndexByte(b, '\\')
		if n < 0 {
			return append(dst, b...)
		}
		dst, b = append(dst, b[:n]...), b[n:]
		n = escapeLen(b)
		switch {
		case n == 0:
			return utf8.AppendRune(dst, utf8.RuneError)
		case n == 2:
			dst = append(dst, plain(b[1]))
		default:
			r := hex4(b[2:])
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if escapeLen(b[6:]) == 6 {
					low = hex4(b[8:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					n = 12
				}
			}
			dst = utf8.AppendRune(dst, r)
		}
		b = b[n:]
	}
}

// printable is the text of a checked string: decoded, and valid UTF-8.
func printable(raw []byte) string {
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw = unescape(nil, raw)
	}
	return strings.ToValidUTF8(string(raw), "\ufffd")
}

// again is printable(raw), without allocating when that is what old says already.
func again(old string, raw []byte) string {
	if string(raw) == old && bytes.IndexByte(raw, '\\') < 0 {
		return old
	}
	return printable(raw)
}

func plain(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// appendText appends s as the inside of a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, "\ufffd"...)
		}
		i += size
		start = i
	}
	return append(dst, s[start:]...)
}

// escapeLen is the length of the escape at the start of b, 0 if it is a bad one.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if hex4(b[2:]) >= 0 {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
