package check

import "regexp"

// Claims reports whether an action has the agent assert a fact: "say that returns
// are free". Whoever says so may be wrong, or lie, and what is true today may not be
// tomorrow; how an answer is to be worded is another matter. What the agent is to
// say of itself ("say that you do not know") is no fact.
func Claims(action string) bool {
	for _, s := range sentences(clip(action, 4<<10)) {
		if m := claiming.FindStringSubmatch(straight.Replace(s)); m != nil && !ofItself.MatchString(m[1]) {
			return true
		}
	}
	return false
}

var (
	claiming = regexp.MustCompile(`(?i)^(?:always |also |please |clearly |explicitly |immer |auch |bitte |toujours |siempre |make sure to |be sure to )*(?:(?:say|mention|state|note|add|explain|emphasi[sz]e|stress|announce|confirm|assure|claim|write|make (?:it )?clear|point out|(?:tell|remind|inform|warn|advise|assure|let) (?:them|him|her|us|people|everyone|anyone|(?:the |all )?(?:customers?|users?|guests?|readers?|patients?|clients?|callers?|visitors?|students?|parents?|tenants?))(?: know)?)(?: in the answer)?,? that|(?:erwähnen?|sagen?|sag|schreiben?|weise darauf hin|darauf hinweisen|teile mit),? dass|(?:mentionne[rz]?|dites|dis|dire|précise[rz]?|indique[rz]?|ajoute[rz]?) que|(?:menciona|mencione|di|diga|decir|indica|indique|añade|aclara)[nr]? que) (.+)$`)
	ofItself = regexp.MustCompile(`(?i)^(?:you|the (?:assistant|bot|answer|agent|model)|it (?:is|may be|might be) (?:unknown|not known|unclear|uncertain|only an? (?:estimate|guess))|(?:this|that) is (?:only )?(?:an? )?(?:estimate|opinion|guess|not (?:legal|medical|financial) advice)|du|sie selbst|tu|vous|usted)\b`)
)
