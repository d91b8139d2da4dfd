package check

import (
	"regexp"
	"strings"
	"unicode"
)

// A tongue is a language of which the words that mark an instruction are known. The
// action is the whole sentence: what stands before a mark may be when it holds.
type tongue struct {
	script *unicode.RangeTable // nil: Latin
	marks  *regexp.Regexp
	// errands are what one person wants done now, and what says nothing but "do it
	// well". They are instructions only with a word like "always" (evermore).
	errands *regexp.Regexp
}

// marked reads a sentence of one of tongues. A question is none.
func marked(s string) (string, bool) {
	s = strings.TrimRight(s, " .!。！．")
	if strings.HasSuffix(s, "?") || strings.HasSuffix(s, "？") || strings.HasSuffix(s, "؟") {
		return "", false
	}
	english := Language(s) == "en"
	for _, t := range tongues {
		if t.script == nil && english || t.script != nil && !strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(t.script, r) }) {
			continue
		}
		if t.marks.MatchString(s) && (!t.errands.MatchString(s) || evermore.MatchString(s)) {
			return s, true
		}
		if t.script != nil {
			break // which tells the language
		}
	}
	return "", false
}

// marksOf makes a tongue of two expressions, in which < is where a word begins and >
// where one ends: \b knows only Latin letters.
func marksOf(script *unicode.RangeTable, marks, errands string) tongue {
	bounded := strings.NewReplacer("<", `(?:^|[^\pL\pN])`, ">", `(?:[^\pL\pN]|$)`)
	return tongue{script, regexp.MustCompile(`(?i)` + bounded.Replace(marks)), regexp.MustCompile(`(?i)` + bounded.Replace(errands))}
}

var evermore = marksOf(nil, `必ず|常に|今後|次回から|毎回|总是|總是|始终|始終|务必|務必|以后|以後|下次|每次|항상|반드시|앞으로|다음부터|<(?:всегда|никогда|впредь|каждый раз|sempre|mai|d'ora in poi|nunca|a partir de agora|altijd|nooit|voortaan|zawsze|nigdy|od teraz|her zaman|asla|daima|bundan sonra)>|دائم|أبدا|من الآن`, `^$`).marks

// tongues are the languages beside those of foreignForms. The first whose script
// stands in a sentence reads it: kana before ideographs.
var tongues = []tongue{
	// Japanese: requests end the sentence.
	marksOf(unicode.Hiragana, `(?:(?:て|で)(?:ください|下さい|ほしい(?:です)?|欲しい(?:です)?|くれ|もらいたい(?:です)?)|(?:お|ご)\pL{1,8}(?:ください|下さい)|(?:避け|使っ|書い|答え|述べ|示し|付け|つけ|入れ|含め|減らし|短くし|にし|話し|載せ|省い)て|ないで(?:ね)?|べき(?:です|だ|である)?|(?:する|ない|す|く|る)こと|(?:する|使う|書く|言う)な|禁止(?:です)?|ようにお?(?:願いします|して)|(?:を|で|に|は)お願いします|(?:必ず|常に).{2,}(?:する|書く|入れる|付ける|答える|使う))$`,
		`教えて|助けて|返金し|返して|連絡し|電話し|対応し|直して|やめて|止めて|ちゃんと|しっかり|質問に.{0,6}答え|待って|送って|キャンセル|考えて|調べて|見て|読んで`),
	// Korean: requests end the sentence.
	marksOf(unicode.Hangul, `(?:주세요|주십시오|주시기 바랍니다|하세요|십시오|마세요|(?:히|우|추|리|시|이|쓰|적)세요|지 ?마(?:라|요)?|지 ?말 ?것|말아 ?(?:줘|주세요)|[야] ?(?:합니다|해요|한다|해|돼요|됩니다)|바랍니다|(?:해|써|적어|답해|넣어|알려) ?줘(?:요)?|면 ?좋겠(?:어요|습니다|다|네요)|[할쓸]\s?것|금지|하라|써라)$`,
		`환불|도와|연락|전화|확인해|보내|알려|고쳐|제대로|똑바로|취소|기다|안녕하세요|질문에.{0,6}답|내 |제 |나한테|저한테`),
	// Chinese
	marksOf(unicode.Han, `(?:请|請)[^问問求假客稍勿]|请勿|請勿`+
		`|(?:总是|總是|始终|始終)(?:要|提|用|使用|回答|写|寫|说明|說明|注明|给出|給出|列|标|先|以)|务必|務必|(?:应该|應該|应当|應當|必须|必須|需要|最好|记得|記得|希望你?能?|希望您?能?)(?:总是|要|先|用|使用|提|给|給|写|寫|说明|說明|注明|註明|标|標|列|包|回答|简|簡|更|以|避)`+
		`|不要(?:再|使用|用|说|說|提|给|給|写|寫|加|重复|重複|推荐|推薦|建议|建議|总|總|在|以|放|列|超过|超過|太|过)|(?:^|[，,。；;：:！! ])(?:别|別)(?:再|用|使用|说|說|提|给|給|写|寫|加|重复|推荐|总)|禁止|不得|不准|避免|尽量|儘量|改用|用(?:中文|英文|英语|日文|法语|德语|中文简体|繁體中文)回[答复覆]|(?:要|应)(?:简短|简洁|简单|详细|礼貌|正式)`,
		`(?:帮|幫|给|給|告诉|告訴|联系|聯繫|回复|回覆|替|让|讓|叫|教)我|请问|請問|[请請](?:立即|马上|尽快)?退|好好|认真|重新回答|稍等|核实|处理|解决|客服|人工|回答我?的?问题|无法避免|不可避免`),
	// Russian
	marksOf(unicode.Cyrillic, `<(?:не )?\pL{1,}(?:айте|яйте|уйте|юйте|ейте|ьте|[йь]тесь)>|<(?:не )?(?:пишите|говорите|укажите|назовите|опишите|перечислите|начните|приведите|сделайте|включите|сократите|держите|уберите|упомяните|указывай|используй|отвечай|пиши|добавляй|добавь|упоминай|упомяни|избегай|начинай|начни|заканчивай|называй|объясняй|говори|укажи|приводи|предлагай|перечисляй|советуй|обращайся|повторяй|извиняйся|будь|давай|делай|сокращай|сократи)>`+
		`|<(?:нужно|надо|следует|необходимо|обязательно|должен|должна|должны|должно|стоит|лучше|прошу|всегда|никогда не|не нужно|не надо|не стоит|хотелось бы|пожалуйста,?)(?: бы| было| всегда| сразу| также| не)* \pL+(?:ть|ти|чь|ться|тись)>|<(?:хочу|хотелось бы|желательно|нужно|надо),? чтобы>|<(?:пожалуйста,? (?:без|на|по|короче|кратко|только|покороче|проще)|(?:без|на \pL+ом|короче|кратко|покороче|проще),? пожалуйста)>|^без (?:эмодзи|смайликов|смайлов|жаргона)`,
		`<(?:мне|меня|мой|моя|мои|моё|мое|мою|моего|моих|нам|нас|я|ты|вы|помогите|верните|позвоните|скажите|подскажите|дайте|здравствуйте|извините|простите|прекратите|перестаньте|свяжитесь|читайте|прочитайте|думайте|подумайте|знайте|попробуйте|пробуйте|исправьте|работайте|давайте|ждите|забудьте|идите|отвечайте на (?:вопрос|мой)|нормально)>`),
	// Arabic
	marksOf(unicode.Arabic, `<(?:و|ف)?(?:يرجى|الرجاء|رجاءً?|من فضلك|لو سمحت|يجب|ينبغي|لا بد|احرص|تجنب|تجنّب|استخدم|اذكر|أذكر|أجب|اكتب|أضف|ابدأ|اختصر|اجعل|لا داعي|تحدث|أنه|ضع|قدم|وضح|خاطب|تكلم|ترجم|رد|حدد)>|<(?:لا|ألا) ت(?:ستخدم|ذكر|كتب|قل|كرر|بدأ|نصح|وص|قترح|عتذر|ضف|رسل|تجاوز|طلب|شرح|ستعمل|وصي|نه)\pL{0,3}>|<(?:أريد|أفضل|أود|أتمنى) (?:أن (?:ت|ي)\pL+|إجابات|الإجابات)|بدون (?:رموز|إيموجي|مصطلحات)`,
		`ساعد|مساعد|مالي|أموالي|المال|اتصل|أخبرني|أعطني|طلبي|على سؤالي|سؤالي|أعد لي|استرداد|حل مشكل`),
	// Italian
	marksOf(nil, `^(?:per favore,? )?(?:sempre |mai |non |in futuro,? |quando .+, )*(?:rispond(?:i|ete|a)|scriv(?:i|ete|a)|usa(?:te|re)?|usi|utilizza(?:te|re)?|utilizzi|evita(?:te|re)?|eviti|menzion(?:a|ate|are|i)|indic(?:a|ate|are|hi)|includ(?:i|ete|ere|a)|aggiung(?:i|ete|ere|a)|cit(?:a|ate|are|i)|inizi(?:a|ate|are)|cominci(?:a|ate|are)|termin(?:a|ate|are|i)|spieg(?:a|ate|are|hi)|traduci|tradurre|elenc(?:a|ate|are|hi)|specific(?:a|ate|are|hi)|sii|siate|sia|fai|fate|dai|date|mett(?:i|ete|ere)|tieni|mantieni|parl(?:a|ate|are|i)|ricord(?:a|ate|are)|chied(?:i|ete|ere|a)|suggeri(?:sci|re)|consigli(?:a|ate|are)|ripet(?:i|ete|ere)|riassum(?:i|ere)|offr(?:i|ire)|rimand(?:a|are)|abbrevi(?:a|are)|dare|dire|dì) \pL`+
		`|^(?:mai|non|sempre) \pL{3,}(?:are|ere|ire|arti|erti|irti|arvi|ervi|irvi) \pL|<(?:devi|deve|dovresti|dovrebbe|dovrebbero|devono|dovete|dovreste|bisogna|occorre|si prega di|ti prego di|va|vanno)(?: sempre| anche| non)* (?:\pL+(?:are|ere|ire|rre)|\pL+at[oaie])>|<(?:vorrei|preferirei|preferisco|voglio) (?:che|risposte|le risposte)>|(?:in \pL+|più \pL+|meno \pL+|senza \pL+),? per favore$|^per favore,? (?:in|più|meno|senza|niente) \pL|^(?:niente|basta(?: con)?(?: le| gli)?|senza) (?:emoji|faccine|gergo|abbreviazioni|markdown)>`,
		`<(?:mi|mio|mia|miei|aiuto|aiutami|dimmi|dammi|datemi|fammi|rispondimi|rimborso|soldi|rispondi (?:alla|a)|meglio|fai schifo|fate schifo)>`),
	// Portuguese
	marksOf(nil, `^(?:sempre |nunca |não |no futuro,? |quando .+, )*(?:mencion[ea]|inclu[aí]|us[ea]|utiliz[ea]|evit[ea]|respond[ae]|escrev[ae]|indi(?:que|ca)|adicion[ea]|cit[ea]|comece|começa|termin[ea]|expli(?:que|ca)|list[ea]|seja|sê|dê|diga|diz|colo(?:que|ca)|mante(?:nha|m)|fal[ea]|pergunt[ea]|ofere(?:ça|ce)|recomend[ea]|traduza|resum[ae]|inici[ea]|acrescent[ea]|inform[ea]|mostr[ea]|forneça|repit[ae]|sugira|trat[ea]|faça|ponha|abrevi[ea]|encurt[ea]|converta|peça|arredond[ea]) \pL`+
		`|^(?:não|nunca|sempre) \pL{3,}(?:ar|er|ir) \pL|<(?:deve|devem|deveria|deveriam|devia|deves|precisa|é preciso|é necessário|tem que|tem de|convém|há que)(?: sempre| também| não)* \pL+(?:ar|er|ir|or)>|<(?:quero|queria|prefiro|preferia|gostaria)(?: de)? (?:que|respostas|as respostas)>|^(?:sem|nada de|chega de) (?:emojis?|jargão|gírias|abreviaturas|markdown)>|^em (?:português|inglês|espanhol|francês|alemão|italiano)$`,
		`<(?:me|meu|minha|meus|ajuda|ajude|ajudar|dinheiro|reembols\pL+|responda? (?:à|a|minha)|fala sério|direito)>|^(?:não|nunca) (?:responde|usa|menciona|indica|explica|mostra|diz|evita|inclui|fala|cita|lista|informa|termina|começa|recomenda|trata|coloca) |^diz que|^fala que`),
	// Dutch
	marksOf(nil, `^(?:altijd |nooit |in het vervolg |voortaan |als .+, |bij .+, )*(?:vermeld|noem|gebruik|antwoord|schrijf|geef|voeg|vermijd|begin|eindig|verwijs|leg|toon|spreek|vertaal|houd|hou|wees|zeg|vraag|bied|beperk|laat|rond|citeer|maak|formuleer|herhaal|adviseer|kort|vat|zet|tutoyeer|verontschuldig) \pL`+
		`|^(?:altijd|nooit|liever|niet|geen) .+(?:en|aan|doen|geven)$|<(?:graag|gelieve|alsjeblieft|alstublieft|a\.?u\.?b)>|<(?:je|u|jij|jullie|het|het antwoord|de antwoorden|antwoorden|de bot|er|prijzen|men) (?:moet|moeten|zou|zouden|dient|dienen|hoort|mag|mogen)>|<ik (?:wil|zou|heb)(?: graag| liever)* (?:dat je|dat u|liever|antwoorden|korte|kortere)>|^geen (?:emoji'?s?|smileys|jargon|afkortingen|vakjargon|markdown|lange)|(?:korter|in het \pL+|eenvoudiger|zonder \pL+) graag$`,
		`<(?:mij|me|mijn|ons|help|hulp|geld|terug|laat maar|hou op|geef antwoord|beter|normaal|contact)>`),
	// Polish
	marksOf(nil, `^(?:zawsze |nigdy nie |nie |proszę,? |prosimy |na przyszłość,? |gdy .+, |jeśli .+, )*(?:podawaj|podaj|używaj|użyj|odpowiadaj|odpowiedz|pisz|napisz|unikaj|dodawaj|dodaj|wspomnij|wspominaj|zaczynaj|zacznij|kończ|wymieniaj|wymień|cytuj|wyjaśniaj|stosuj|pytaj|bądź|mów|tłumacz|wskaż|wskazuj|uwzględnij|uwzględniaj|informuj|proponuj|polecaj|powtarzaj|skracaj|skróć|zwracaj się|pokazuj|przepraszaj|zaokrąglaj|formułuj)(?:cie)? ?`+
		`|^(?:zawsze|nigdy nie|proszę(?: o)?|proszę,? nie|nie) \pL{2,}(?:ć|c)(?: się)? \pL|^proszę o (?:krótsze|dłuższe|prostsze|odpowiedzi)|<(?:należy|powinieneś|powinnaś|powinien|powinna|powinno|powinny|trzeba|musisz|warto|prosiłbym o|wolałbym|wolę)(?: zawsze| też| nie)* \pL+|<(?:chcę|chciałbym|chciałabym),? żeby>|(?:po \pL+|krócej|prościej|bez \pL+),? proszę$|^bez (?:emotikonów|emoji|żargonu|skrótów)`,
		`<(?:mi|mnie|mój|moje|moją|moja|mojego|nam|pomóż|pomoc|pomocy|zwrot pieniędzy|pieniądze|odpowiedz na|lepiej|kontakt)>`),
	// Turkish: the verb ends the sentence.
	marksOf(nil, `<(?:kullan|cevap ver|yanıt ver|bilgi ver|örnek ver|belirt|yaz|söyle|ekle|açıkla|bahset|başla|bitir|kaçın|göster|listele|özetle|sor|öner|hitap ed?t?|konuş|tut|kısalt|çevir|tekrarla|tekrar ed?t?|yap|ol|anlat|sun|yanıtla|cevapla|özür dile|dile)(?:m[ae])?(?:y?[ıiuü]n(?:[ıiuü]z)?)?$|\pLm[ae]l[ıi](?:s[ıi]n(?:[ıi]z)?|d[ıi]r)?$|\pLm[ae]s[ıi]n$|<(?:lütfen|her zaman|asla|mutlaka|daima)>.*(?:m[ae]y?[ıi]n(?:[ıi]z)?|[ıiuü]n(?:[ıiuü]z)|l[ae]y[ıi]n|olsun|lütfen)$|(?:olsun|tercih ederim|istiyorum)$|^emoji yok`,
		`<(?:bana|beni|benim|bize|yardım|iade et\pL*|para\pL*|geri ver\pL*|ara\pL{0,3}|doğru düzgün|konuşmak istiyorum|öğrenmek istiyorum|almak istiyorum|iptal\pL*)>|\pL+m[ae]k istiyorum$|soruma cevap`),
}
