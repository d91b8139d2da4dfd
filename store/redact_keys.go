package store

import "bytes"

// keyStart is how keys and tokens of a service begin.
type keyStart struct {
	start string
	least int  // the fewest characters of the whole
	hex   bool // the rest is hexadecimal: the start alone says little
}

// keyStarts are those of well-known services, by what their documentation says and
// by the rules of gitleaks, detect-secrets and GitHub's secret scanning, by first
// character.
var keyStarts = func() (by [256][]keyStart) {
	for _, k := range []keyStart{
		{"sk-", 20, false}, {"sk_", 20, false}, {"pk_", 20, false}, {"rk_", 20, false}, {"pk-", 20, false}, // OpenAI, Anthropic, Stripe, Langfuse, …
		{"AKIA", 16, false}, {"ASIA", 16, false}, {"ABIA", 20, false}, {"ACCA", 20, false}, {"LTAI", 20, false}, // AWS, Alibaba
		{"AIza", 24, false}, {"ya29.", 20, false}, {"GOCSPX-", 20, false}, // Google
		{"AccountKey=", 20, false}, // Azure
		{"ghp_", 20, false}, {"gho_", 20, false}, {"ghu_", 20, false}, {"ghs_", 20, false}, {"ghr_", 20, false}, {"github_pat_", 27, false},
		{"glpat-", 20, false}, {"gldt-", 20, false}, {"glft-", 20, false}, {"glsoat-", 20, false}, {"glrt-", 20, false}, {"glptt-", 20, false},
		{"glcbt-", 20, false}, {"glimt-", 20, false}, {"glagent-", 20, false}, {"gloas-", 20, false}, {"GR1348941", 25, false}, // GitLab
		{"ATATT3", 30, false}, {"ATCTT3", 30, false}, {"ATBB", 30, false}, {"dckr_pat_", 25, false}, {"CCIPAT_", 25, false}, // Atlassian, Docker, CircleCI
		{"npm_", 20, false}, {"pypi-", 20, false}, {"rubygems_", 30, false}, {"CLOJARS_", 30, false}, {"oy2", 46, false}, {"cio", 35, true}, // registries
		{"xoxa-", 13, false}, {"xoxb-", 13, false}, {"xoxe-", 13, false}, {"xoxe.", 13, false}, {"xoxo-", 13, false}, {"xoxp-", 13, false}, {"xoxr-", 13, false},
		{"xoxs-", 13, false}, {"xoxd-", 13, false}, {"xapp-", 13, false}, {"xwfp-", 13, false}, // Slack
		{"hooks.slack.com/services/", 40, false}, {"hooks.slack.com/workflows/", 40, false}, {"discord.com/api/webhooks/", 60, false}, {"discordapp.com/api/webhooks/", 60, false},
		{"hf_", 20, false}, {"api_org_", 30, false}, {"gsk_", 20, false}, {"xai-", 20, false}, {"r8_", 30, false}, {"pplx-", 30, false}, {"nvapi-", 30, false},
		{"csk-", 30, false}, {"tvly-", 20, false}, {"pcsk_", 30, false}, {"lsv2_pt_", 30, false}, {"lsv2_sk_", 30, false}, {"jina_", 30, false}, {"tgp_v1_", 30, false},
		{"dapi", 36, false}, {"dop_v1_", 20, false}, {"doo_v1_", 20, false}, {"dor_v1_", 20, false}, // Databricks, DigitalOcean
		{"hvs.", 24, false}, {"hvb.", 24, false}, {"hvr.", 24, false}, {"FlyV1", 30, false}, {"fm2_", 30, false}, {"fo1_", 30, false}, {"HRKU-", 30, false},
		{"glsa_", 20, false}, {"glc_", 30, false}, {"NRAK-", 30, false}, {"NRII-", 30, false}, {"NRJS-", 20, false}, {"dt0c01.", 24, false}, {"sntrys_", 30, false}, {"sntryu_", 30, false}, // Grafana, New Relic, Dynatrace, Sentry
		{"pscale_tkn_", 30, false}, {"pscale_pw_", 30, false}, {"pscale_oauth_", 30, false}, {"sbp_", 30, false}, {"sb_secret_", 25, false}, {"pul-", 44, true}, {"pnu_", 36, false}, {"tskey-", 24, false},
		{"dp.pt.", 30, false}, {"dp.st.", 30, false}, {"rdme_", 30, false}, {"PMAK-", 30, false}, {"lin_api_", 30, false}, {"ntn_", 30, false}, {"figd_", 30, false}, {"CFPAT-", 30, false}, {"cfat_", 30, false},
		{"shpat_", 20, false}, {"shpca_", 20, false}, {"shppa_", 20, false}, {"shpss_", 20, false}, {"whsec_", 20, false}, {"sq0atp-", 20, false}, {"sq0csp-", 20, false}, {"EAAA", 60, false}, // shops and payments
		{"rzp_live_", 20, false}, {"rzp_test_", 20, false}, {"FLWSECK", 30, false}, {"access-production-", 40, false}, {"access-sandbox-", 40, false}, {"EZAK", 50, false}, {"EZTK", 50, false}, {"shippo_", 40, false},
		{"SG.", 30, false}, {"xkeysib-", 40, false}, {"key-", 36, true}, {"SK", 34, true}, {"AC", 34, true}, {"re_", 30, false}, {"EAAC", 60, false}, // SendGrid, Brevo, Mailgun, Twilio, Resend, Facebook
		{"AGE-SECRET-KEY-1", 60, false}, {"ops_eyJ", 60, false}, {"p8e-", 30, false}, {"eyJ", 30, false}, // age, 1Password, Adobe, JWT
		{"heed-", 24, false}, {"heed_", 24, false},
	} {
		by[k.start[0]] = append(by[k.start[0]], k)
	}
	return by
}()

// leastKey is the fewest characters of any of them.
const leastKey = 13

// keys finds keys, tokens, passwords and private key blocks.
func (r *redactor) keys() {
	b := r.plain
	for i := 0; i < len(b); {
		if !isWord(b[i]) {
			i++
			continue
		}
		hi := i
		for hi < len(b) && isKeyByte(b[hi]) {
			hi++
		}
		if hi-i >= leastKey {
			r.token(i, hi)
			r.shapes(i, hi)
		}
		i = max(hi, i+1)
	}
	lower := lowered(b)
	r.assigned(lower)
	r.schemes(lower, "bearer ", func([]byte) bool { return true })
	r.schemes(lower, "basic ", func(v []byte) bool { return bytes.ContainsAny(v, "0123456789=") }) // else a word
	r.urls()
	r.blocks()
}

// lowered is b with ASCII's capitals made small: every byte stays in its place,
// which bytes.ToLower does not promise.
func lowered(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// urls finds the password in https://user:password@host.
func (r *redactor) urls() {
	b := r.plain
	for i := 0; ; {
		n := bytes.Index(b[i:], []byte("://"))
		if n < 0 {
			return
		}
		i += n + len("://")
		user := i
		for user < len(b) && inAuthority(b[user]) && b[user] != ':' {
			user++
		}
		if user == len(b) || b[user] != ':' {
			continue
		}
		lo := user + 1
		hi := lo
		for hi < len(b) && hi-lo < mostSecret && inAuthority(b[hi]) {
			hi++
		}
		if hi < len(b) && b[hi] == '@' {
			r.add(lo, hi, "key")
		}
	}
}

// inAuthority reports whether the byte may stand in a URL's user or password.
func inAuthority(c byte) bool { return c > ' ' && bytes.IndexByte([]byte(`/@"'<>`), c) < 0 }

// schemes finds what follows the name of a scheme of HTTP authentication.
func (r *redactor) schemes(lower []byte, name string, secret func(value []byte) bool) {
	for i := 0; ; {
		n := bytes.Index(lower[i:], []byte(name))
		if n < 0 {
			return
		}
		lo := i + n + len(name)
		hi := lo
		for hi < len(lower) && isKeyByte(lower[hi]) {
			hi++
		}
		if hi-lo >= 12 && secret(lower[lo:hi]) {
			r.add(lo, hi, "key")
		}
		i = lo
	}
}

func isKeyByte(c byte) bool { return isWord(c) || bytes.IndexByte([]byte("-.+/=~"), c) >= 0 }

// token looks for a well-known start at the start of a run, or after a character
// that joins words.
func (r *redactor) token(lo, hi int) {
	for i := lo; i+leastKey <= hi; i++ {
		if i > lo && isWord(r.plain[i-1]) {
			continue
		}
		for _, k := range keyStarts[r.plain[i]] {
			if hi-i >= k.least && bytes.HasPrefix(r.plain[i:hi], []byte(k.start)) && (!k.hex || isHex(r.plain[i+len(k.start):i+k.least])) {
				r.add(i, sentenceEnd(r.plain, i, hi), "key")
				return
			}
		}
	}
}

// sentenceEnd leaves full stops out at the end.
func sentenceEnd(b []byte, lo, hi int) int {
	for hi > lo && b[hi-1] == '.' {
		hi--
	}
	return hi
}

func isHex(b []byte) bool {
	for _, c := range b {
		if hexDigit(c) < 0 {
			return false
		}
	}
	return true
}

// shapes looks in a run for tokens that are known by their shape, not by their
// start.
func (r *redactor) shapes(lo, hi int) {
	for lo < hi {
		end := lo
		for end < hi && r.plain[end] != '/' && r.plain[end] != '=' {
			end++
		}
		if end-lo >= leastShape {
			r.shape(lo, sentenceEnd(r.plain, lo, end))
		}
		lo = end + 1
	}
}

// leastShape is the fewest characters of a token that shape knows.
const leastShape = 35

func (r *redactor) shape(lo, hi int) {
	b := r.plain
	run := b[lo:hi]
	switch {
	case lo > 0 && b[lo-1] == ':' && len(run) >= 35 && bytes.HasPrefix(run, []byte("AA")): // a Telegram bot: its number, a colon, 35 characters
		id := lo - 1
		for id > 0 && isDigit(b[id-1]) {
			id--
		}
		if n := lo - 1 - id; n >= 7 && n <= 11 {
			r.add(id, hi, "key")
		}
	case len(run) >= 37 && len(run) <= 44 && bytes.Index(run, []byte("Q~")) >= 4, // a client secret of Microsoft's Entra
		len(run) >= 36 && len(run) <= 38 && run[32] == '-' && isHex(run[:32]) && run[33] == 'u' && run[34] == 's', // Mailchimp
		isDiscord(run):
		r.add(lo, hi, "key")
	}
}

// isDiscord reports whether the run is a bot's token: three parts of base64.
func isDiscord(run []byte) bool {
	first, rest, _ := bytes.Cut(run, []byte("."))
	second, third, _ := bytes.Cut(rest, []byte("."))
	return len(first) >= 23 && len(first) <= 28 && len(second) == 6 && len(third) >= 27 && len(third) <= 40 && bytes.IndexByte(third, '.') < 0
}

// blocks finds private keys as PEM (RFC 7468), to their end or the text's.
func (r *redactor) blocks() {
	b := r.plain
	for i := 0; ; {
		n := bytes.Index(b[i:], []byte("-----BEGIN "))
		if n < 0 {
			return
		}
		lo := i + n
		hi := lo + bytes.IndexByte(append(b[lo:len(b):len(b)], '\n'), '\n')
		if !bytes.Contains(b[lo:hi], []byte("PRIVATE KEY")) {
			i = lo + 1
			continue
		}
		hi = len(b)
		if end := bytes.Index(b[lo:], []byte("-----END ")); end >= 0 {
			hi = lo + end
			if last := bytes.Index(b[hi+len("-----END "):], []byte("-----")); last >= 0 {
				hi += len("-----END ") + last + len("-----")
			}
		} else if quote := bytes.IndexByte(b[lo:], '"'); quote >= 0 { // JSON goes on behind the string
			hi = lo + quote
		}
		r.add(lo, hi, "key")
		i = hi
	}
}
