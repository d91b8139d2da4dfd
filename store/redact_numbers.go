package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxGroups bounds the groups of digits that are looked at as one number.
const maxGroups = 12

// group is a run of digits in plain.
type group struct{ lo, hi int }

// numbers finds cards and telephones: groups of digits with single separators.
func (r *redactor) numbers() {
	for i := 0; i < len(r.plain); i++ {
		if !isDigit(r.plain[i]) {
			continue
		}
		groups := r.groups(i)
		last := groups[len(groups)-1].hi
		if r.standsAlone(groups[0].lo, last) {
			r.classify(groups)
		}
		i = last
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// groups reads the groups from a digit on. Between two there may be a separator,
// or one with a space or bracket beside it.
func (r *redactor) groups(i int) []group {
	b := r.plain
	var gs []group
	for len(gs) < maxGroups {
		g := group{i, i}
		for g.hi < len(b) && isDigit(b[g.hi]) {
			g.hi++
		}
		gs = append(gs, g)
		for i = g.hi; i < len(b) && i < g.hi+3 && bytes.IndexByte([]byte(" -./()\t"), b[i]) >= 0; i++ {
		}
		if i == g.hi || i >= len(b) || !isDigit(b[i]) {
			break
		}
	}
	return gs
}

// standsAlone reports whether the number is no part of a word, hexadecimal id or
// the like.
func (r *redactor) standsAlone(lo, hi int) bool {
	b := r.plain
	if lo > 0 && isWord(b[lo-1]) || hi < len(b) && isWord(b[hi]) {
		return false
	}
	if lo > 1 && b[lo-1] == '-' && isWord(b[lo-2]) {
		return false
	}
	return !(hi+1 < len(b) && b[hi] == '-' && isWord(b[hi+1]))
}

// classify adds what the groups are. Cards come first: they have a check digit.
func (r *redactor) classify(gs []group) {
	for i := range gs {
		for j := len(gs); j > i; j-- {
			if r.card(gs[i:j]) {
				r.add(gs[i].lo, gs[j-1].hi, "card")
				r.classify(gs[:i])
				r.classify(gs[j:])
				return
			}
		}
	}
	if len(gs) > 0 && r.phone(gs) {
		lo := gs[0].lo
		for lo > 0 && bytes.IndexByte([]byte("+("), r.plain[lo-1]) >= 0 {
			lo--
		}
		r.add(lo, gs[len(gs)-1].hi, "phone")
	}
}

// card is 13 to 19 digits that begin as issuers' numbers do and pass the check of
// ISO/IEC 7812-1.
func (r *redactor) card(gs []group) bool {
	n := digits(gs)
	if n < 13 || n > 19 || r.plain[gs[0].lo] < '2' || r.plain[gs[0].lo] > '6' {
		return false
	}
	sum, k := 0, n
	for _, g := range gs {
		for _, c := range r.plain[g.lo:g.hi] {
			d := int(c - '0')
			if k%2 == 0 {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
			k--
		}
	}
	return sum%10 == 0
}

func digits(gs []group) int {
	n := 0
	for _, g := range gs {
		n += g.hi - g.lo
	}
	return n
}

// phone is a number as people write telephones: with an international or trunk
// prefix, or in the North American groups. It also takes US social security
// numbers, which are written alike.
func (r *redactor) phone(gs []group) bool {
	n, b := digits(gs), r.plain
	first := gs[0]
	plus := first.lo > 0 && b[first.lo-1] == '+'
	switch {
	case len(gs) == 3 && size(gs, 3, 2, 4) && b[first.hi] == '-':
		return true
	case n < 8 || n > 15:
		return false
	case plus:
		return true
	case r.isDate(gs):
		return false
	case len(gs) == 1 && n >= 9 && r.ofPhone(first.lo, first.hi):
		return true
	case len(gs) >= 3 && size(gs[len(gs)-3:], 3, 3, 4) && len(gs) <= 4:
		return true
	}
	return b[first.lo] == '0' && first.hi-first.lo >= 2 && !(len(gs) > 1 && b[first.hi] == '.' && len(gs) == 2)
}

// phoneWords say that the number beside them is a telephone's; what comes after
// "me" and the like is asked for with a verb. otherWords say that it is not, whatever
// else is said.
var (
	phoneWords = wordsOf("phone telephone telefon telefone teléfono téléphone tel mobile mobil móvil mobiltelefon cell cellphone celular handy handynummer telefonnummer rufnummer whatsapp fax landline portable hotline phone_number mobile_number phonenumber")
	phoneVerbs = wordsOf("call text ring reach contact dial sms phone whatsapp message erreichen anrufen appelez llame")
	phoneWhom  = wordsOf("me us him her them back at on under unter mich uns moi")
	otherWords = wordsOf("order orders invoice ticket case tracking account customer id ids article item parcel serial ref reference sku product isbn ean imei bestellung rechnung sendung kundennummer commande pedido model code price unix timestamp")
)

func wordsOf(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// nearWords is how many words before and after a number are looked at, within
// nearBytes of it.
const (
	nearWords = 5
	nearBytes = 48
)

// ofPhone reports whether the words beside the number say that it is a telephone's.
func (r *redactor) ofPhone(lo, hi int) bool {
	left, right := r.plain[max(0, lo-nearBytes):lo], r.plain[hi:min(len(r.plain), hi+nearBytes)]
	for _, end := range []string{`",`, `"}`, `{`, "\n\n"} { // of another value of JSON, or of a paragraph
		left = left[bytes.LastIndex(left, []byte(end))+1:]
	}
	if end := bytes.IndexAny(right, "\"\n{}"); end >= 0 {
		right = right[:end]
	}
	before, after := bytes.FieldsFunc(left, notInWord), bytes.FieldsFunc(right, notInWord)
	before, after = before[max(0, len(before)-nearWords):], after[:min(len(after), nearWords)]
	phone, verb, whom := false, false, false
	for i, w := range slices.Concat(before, after) {
		w = bytes.ToLower(w)
		if otherWords[string(w)] {
			return i >= len(before) && phone // what comes after is about something else
		}
		phone = phone || phoneWords[string(w)]
		if i < len(before) {
			verb, whom = verb || phoneVerbs[string(w)], whom || phoneWhom[string(w)]
			phone = phone || verb && whom
		}
	}
	return phone
}

// notInWord is where words are cut; names of fields stay whole.
func notInWord(c rune) bool { return !isLetter(c) && c != '_' }

func size(gs []group, ns ...int) bool {
	for i, n := range ns {
		if gs[i].hi-gs[i].lo != n {
			return false
		}
	}
	return true
}

// isDate tells 01.03.2026 and 2026-03-01 12:00 from telephones.
func (r *redactor) isDate(gs []group) bool {
	if len(gs) < 3 {
		return false
	}
	a, b, c := gs[0].hi-gs[0].lo, gs[1].hi-gs[1].lo, gs[2].hi-gs[2].lo
	year := func(g group) bool { return g.hi-g.lo == 4 && (r.plain[g.lo] == '1' || r.plain[g.lo] == '2') }
	return year(gs[0]) && b <= 2 && c <= 2 || a <= 2 && b <= 2 && (year(gs[2]) || c == 2 && len(gs) == 3)
}

// accounts finds IBANs: two letters, two check digits, groups. In small letters it
// must have the length that its country gives it: ids look much alike.
func (r *redactor) accounts() {
	b := r.plain
	for i := 0; i+15 <= len(b); i++ {
		if !isCapital(upper(b[i])) || !isCapital(upper(b[i+1])) || i > 0 && isWord(b[i-1]) {
			continue
		}
		if hi, n := ibanEnd(b, i); hi > 0 && (isCapital(b[i]) || strings.Contains(ibanLengths, fmt.Sprintf(" %s%d ", bytes.ToUpper(b[i:i+2]), n))) {
			r.add(i, hi, "account")
			i = hi
		}
	}
}

// ibanLengths are the countries' lengths by the SWIFT registry of IBANs, release 97.
const ibanLengths = " AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27" +
	" GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27" +
	" MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SE24 SI19 SK24 SM27 TN24 TR26 UA29 VA22 VG24 XK20 "

func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// ibanEnd returns where the longest account number from i on ends that passes the
// check of ISO 13616, and how many characters it has; 0 without one. Groups are
// joined by spaces or hyphens.
func ibanEnd(b []byte, i int) (end, n int) {
	var buf [34]byte
	chars := buf[:0]
	for j := i; j < len(b) && len(chars) < len(buf); j++ {
		c := upper(b[j])
		if (c == ' ' || c == '-') && j+1 < len(b) && (isCapital(upper(b[j+1])) || isDigit(b[j+1])) {
			continue
		}
		if !isCapital(c) && !isDigit(c) || len(chars) >= 2 && len(chars) < 4 && !isDigit(c) {
			break
		}
		chars = append(chars, c)
		whole := j+1 == len(b) || !isWord(b[j+1])
		if len(chars) >= 15 && whole && mod97(chars) == 1 {
			end, n = j+1, len(chars)
		}
	}
	return end, n
}

// mod97 is the remainder of the number that the account's characters stand for,
// the first four last.
func mod97(chars []byte) int {
	n := 0
	for _, part := range [][]byte{chars[4:], chars[:4]} {
		for _, c := range part {
			if isDigit(c) {
				n = (n*10 + int(c-'0')) % 97
			} else {
				n = (n*100 + int(c-'A') + 10) % 97
			}
		}
	}
	return n
}
