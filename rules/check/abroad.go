package check

// The same attacks in German, French, Spanish, Italian, Portuguese, Dutch,
// Polish, Turkish, Russian, Chinese, Japanese, Korean, Arabic and Hindi, as
// folded text. Chinese, Japanese: no word boundaries, kanji where possible,
// because folding drops voicing marks.
var overridesAbroad = each(
	// German
	`\b(ignorier(e|en|t|st)|vergiss|vergesst|vergessen|missachte|missachten|ubergeh(e|en)|umgeh(e|en)|uberschreib(e|en)|verwirf|beachte)\b( [^ .!?;]+){0,4}? ?\b(vorherig\w*|bisherig\w*|fruher\w*|obig\w*|alle\w*|deine\w*|ihre|ursprunglich\w*|system\w*|vorangegangen\w*)( [^ .!?;]+){0,3}? ?\b(anweisung\w*|anleitung\w*|instruktion\w*|regeln|befehle?|vorgaben|richtlinien|prompts?|systemprompt\w*|systemanweisung\w*)`,
	`\b(alle\w*|die|deine\w*)( [^ .!?;]+){0,3}? (anweisung\w*|instruktion\w*|regeln|vorgaben|richtlinien)( [^ .!?;]+){0,3}? (ignorieren|vergessen|missachten|umgehen)`,
	`\b(zeig\w*|gib|verrat\w*|nenn\w*|wiederhol\w*|druck\w*|offenbar\w*)( [^ .!?;]+){0,4}? (system-?prompt\w*|systemanweisung\w*|systemnachricht\w*|geheime\w* anweisung\w*|ursprunglichen? anweisung\w*)`,
	`\b(vergiss|ignoriere) (alles|was)\b`,
	// French
	`\b(ignore[rz]?|oublie[rz]?|neglige[rz]?|contourne[rz]?|outrepasse[rz]?|ne (suis|suivez|respecte[rz]?) (pas|plus)|ne tiens? (pas|plus) compte|faites abstraction|fais abstraction)\b( [^ .!?;]+){0,4}? ?(instructions?|consignes?|regles|directives?|prompt|invite systeme|ordres)\b( [^ .!?;]+){0,3}`,
	`\b(oublie[rz]?|ignore[rz]?) tout( ce qui| ce que|es?| le reste)?\b`,
	`\b(revele[rz]?|affiche[rz]?|montre[rz]?|repete[rz]?|divulgue[rz]?|donne[rz]?)( [^ .!?;]+){0,4}? (prompt systeme|invite systeme|instructions (systeme|secretes|initiales|cachees)|message systeme|prompt)\b`,
	// Spanish
	`\b(ignor(a|e|ar|en)|olvid(a|e|ar|en)|omit(e|a|ir)|descart(a|e|ar)|desobedec(e|er)|no (sigas?|obedezcas?|respetes?)|haz caso omiso|hagas? caso omiso)\b( [^ .!?;]+){0,4}? ?(instrucciones|reglas|directrices|ordenes|indicaciones|prompt|normas|mensajes)( [^ .!?;]+){0,2}? ?(anteriores|previas|del sistema|originales|de arriba|iniciales|dadas|que)\b`,
	`\b(ignora|olvida|ignore|olvide) (todo|todas|todos)( [^ .!?;]+){0,2}? ?(lo|las|los|instrucciones|anterior(es)?|reglas)\b`,
	`\b(revela|muestra|imprime|repite|ensena|di|dime)( [^ .!?;]+){0,4}? (prompt del sistema|instrucciones (del sistema|secretas|iniciales|ocultas)|mensaje del sistema|prompt)\b`,
	// Italian
	`\b(ignora(re|te)?|dimentica(re|te)?|trascura(re)?|scavalca|aggira(re)?|non seguire)\b( [^ .!?;]+){0,4}? ?(istruzioni|regole|direttive|ordini|linee guida|prompt|messaggi)( [^ .!?;]+){0,2}? ?(precedent[ei]|del sistema|originali|iniziali|di sopra|ricevut[ei]|sopra)\b`,
	`\b(dimentica|ignora) tutt[oei]\b`, `\b(rivela|mostra|stampa|ripeti)( [^ .!?;]+){0,4}? (prompt di sistema|istruzioni (di sistema|segrete|iniziali|nascoste)|messaggio di sistema|prompt)\b`,
	// Portuguese
	`\b(ignor(e|a|ar|em)|esquec(a|e|er|am)|desconsider(e|a|ar)|desobedec(a|er)|nao siga)\b( [^ .!?;]+){0,4}? ?(instrucoes|regras|diretrizes|ordens|comandos|prompt|mensagens)( [^ .!?;]+){0,2}? ?(anteriores|previas|do sistema|originais|acima|iniciais)\b`,
	`\b(ignore|esqueca|esquece) (tudo|todas|todos)\b`, `\b(revele|mostre|imprima|repita|exiba)( [^ .!?;]+){0,4}? (prompt do sistema|instrucoes (do sistema|secretas|iniciais|ocultas)|mensagem do sistema|prompt)\b`,
	// Dutch, Polish, Turkish
	`\b(negeer|vergeet|omzeil)\b( [^ .!?;]+){0,4}? ?(instructies|regels|opdrachten|richtlijnen|prompt|aanwijzingen)\b`,
	`\b(zignoruj|ignoruj|zapomnij|pomin)\b( [^ .!?;]+){0,4}? ?(instrukcj\w*|polece\w*|zasad\w*|regul\w*|wytyczn\w*)`,
	`\b(onceki|tum|yukaridaki|sistem)( [^ .!?;]+){0,3}? (talimat\w*|kural\w*|komut\w*|yonerge\w*)( [^ .!?;]+){0,3}? (yok say|unut|gormezden gel|dikkate alma|goz ardi)`,
	// Russian
	`(игнорируи|игнорировать|игнорируите|проигнорируи\S*|забудь|забудьте|не следуи|отмени|нарушь|обоиди)( [^ .!?;]+){0,5}? ?(инструкц|указани|правил|команд|промпт|директив|ограничени|распоряжени)`,
	`(забудь|забудьте|игнорируи) (все|обо всем)`, `(покажи|раскрои|выведи|напечатаи|повтори|сообщи|скажи)( [^ .!?;]+){0,4}? (системн\S* (промпт|сообщени|инструкц|подсказ)|промпт)`,
	// Chinese
	`(忽略|无视|無視|忘记|忘記|不要遵守|不要理会|忽视|忽視|跳过|绕过|违反|不遵守|抛弃|覆盖).{0,12}(指令|指示|提示|规则|規則|命令|说明|要求|限制|设定|内容)`,
	`(显示|透露|泄露|输出|打印|告诉|重复|公开|顯示|洩露|輸出).{0,10}(系统提示|系统指令|系统消息|系統提示|提示词|初始指令)`,
	// Japanese
	`(指示|命令|ルール|規則|フロンフト|指令|設定|制約|カイトライン).{0,8}(無視|忘れ|破棄|従わな|守らな|上書き|無効)`,
	`(システムフロンフト|システムメッセーシ|内部指示|初期指示).{0,8}(表示|見せ|教え|公開|出力|明かし|繰り返)`,
	// Korean, Arabic, Hindi
	`(지시|명령|규칙|지침|프롬프트).{0,8}(무시|잊어|잊고|따르지)`,
	`(تجاهل|انس|انسى|تخط).{0,24}(التعليمات|تعليمات|الاوامر|القواعد|الارشادات)`,
	`(निर्देशो?|निरदश|नियमो?|नियम|आदेशो?).{0,16}(अनदेखा|अनदख|नजरअदाज|भूल|भल)`,
	// Hints that something was encoded
	`\b(decode|decipher|decrypt|unscramble|reverse) (this|the following|and (follow|execute|obey|run|do))\b`, `\b(rot ?-?13|base ?-?64|caesar cipher|pig latin)\b( [^ .!?;]+){0,6}? (and|then) (follow|obey|execute|run|do|apply)\b`,
)

var identitiesAbroad = each(
	`\bdu bist (jetzt|nun|ab jetzt|nicht (mehr|langer)|ab sofort|kein)\b`, `\b(tu|gib vor|stell dir vor)( [^ .!?;]+){0,3}? (als ob du|du seist|du warst|zu sein|als waerst|als warst)`, `\b(verhalte dich|benimm dich|antworte|sprich|agiere) (als|wie) (ein\w*|ob) (hacker|mensch|boser?|boses|anwalt|arzt|uneingeschrankt\w*|ki ohne|pirat|administrator)`,
	`\btu es (maintenant|desormais|un|une)\b`, `\bvous etes (maintenant|desormais)\b`, `\b(fais|faites) (semblant|comme si)\b`, `\b(agis|agissez|comporte-toi|comportez-vous|reponds) comme (un|une|si tu)\b`,
	`\bahora eres\b`, `\beres (un|una|ahora)\b`, `\b(finge|actua|haz|comportate|simula) (que|como) (eres|si fueras|un|una|ser)\b`,
	`\b(ora|adesso) sei\b`, `\bsei (ora|adesso|un|una)\b`, `\b(fingi|comportati|agisci|fai finta) (di|come|che)\b`,
	`\b(agora )?voce e (agora|um|uma)\b`, `\b(agora voce e|finja|aja como|comporte-se como|faca de conta)\b`,
	`(теперь ты|ты теперь|ты больше не|притворись|представь,? что ты|веди себя как|деиствуи как|сделаи вид)`,
	`(你现在是|你是一个|你不再是|假装|扮演|假裝|现在开始你是)`, `(あなたは今|あなたは今から|のふりをし|のふり|になりきって|を演して|として振る舞)`, `(너는 이제|당신은 이제|인 척)`, `\bje bent (nu|vanaf nu)\b`, `\bdoe alsof\b`,
)

var exfiltrationAbroad = each(
	`\b(schick\w*|send\w*|ubermitt\w*|hang\w*|fug\w*|kodier\w*|leite\w*|ubertrag\w*|kopier\w*|bette\w*)( [^ .!?;]+){0,5}? ?(nutzerdaten|benutzerdaten|kundendaten|daten|passwort\w*|passwort|gesprach\w*|kreditkart\w*|chatverlauf|zugangsdaten|unterhaltung)( [^ .!?;]+){0,6}? ?(an|in|zu|als|ein|weiter|mit)\b`, `\b(frag\w*|bitte|fordere)( [^ .!?;]+){0,5}? (passwort\w*|kreditkartennummer|pin|tan|zugangsdaten)\b`,
	`\b(envoie[rz]?|envoye[rz]|transmet\w*|ajoute[rz]?|encode[rz]?|copie[rz]?|integre[rz]?)( [^ .!?;]+){0,4}? (donnees|conversation|mots? de passe|messages|historique|carte bancaire|identifiants)( [^ .!?;]+){0,6}? (a|vers|dans|en|au|aux)\b`, `\bdemande[rz]?( [^ .!?;]+){0,5}? (mots? de passe|numero de carte|code pin|identifiants)\b`,
	`\b(envi(a|e|ar)|manda|agreg(a|ue)|anad(e|a)|codific(a|que)|copia|transmit(e|a)|incluy(e|a))( [^ .!?;]+){0,4}? (datos|conversacion|contrasenas?|mensajes|historial|tarjeta|credenciales)( [^ .!?;]+){0,6}? (a|al|en|hacia|por)\b`, `\b(pide|solicita|pida|solicite|pregunta)( [^ .!?;]+){0,5}? (contrasenas?|numero de (la )?tarjeta|pin|credenciales)\b`,
	`\b(invia|manda|aggiungi|codifica|copia|trasmetti)( [^ .!?;]+){0,4}? (dati|conversazione|password|messaggi|cronologia|carta)( [^ .!?;]+){0,6}? (a|al|in|verso|nell)\b`, `\bchiedi( [^ .!?;]+){0,5}? (password|numero (di|della) carta|pin|credenziali)\b`,
	`\b(envie|mande|adicione|codifique|copie|transmita|anexe)( [^ .!?;]+){0,4}? (dados|conversa|senhas?|mensagens|historico|cartao|credenciais)( [^ .!?;]+){0,6}? (para|ao|em|a|no|na)\b`, `\b(peca|solicite)( [^ .!?;]+){0,5}? (senhas?|numero do cartao|pin|credenciais)\b`,
	`(отправь|отправляи|отправляите|перешли|пересылаи|добавь|закодируи|скопируи|передаи|передаваи|встави)( [^ .!?;]+){0,5}? ?(данн|переписк|парол|сообщени|истори|разговор|карт)`, `(попроси|спроси|запроси|узнаи)( [^ .!?;]+){0,5}? ?(парол|номер карты|пин|данные карты)`,
	`(发送|發送|附加|上传|泄露|转发|编码|嵌入|添加|传给).{0,10}(用户数据|用户信息|对话|聊天记录|密码|信用卡|数据|个人信息)`, `(把|将).{0,10}(用户数据|用户信息|对话|聊天记录|密码|信用卡|个人信息|数据).{0,12}(发送|发到|附加|上传|转发|编码|嵌入|放入|传)`, `(询问|要求|索取|让).{0,10}(密码|信用卡号|银行卡号|验证码)`,
	`(ユーサー|顧客|会話|個人情報|ハスワート|テータ|カート番号|クレシットカート).{0,12}(送信|送って|送れ|転送|埋め込|添付|付け加え|エンコート|聞き出|尋ね|聞いて)`,
)

var deniedAbroad = each(
	`\b(beleidig\w*|bedroh\w*|schikanier\w*|verspott\w*|demutig\w*) (den|die|das|alle|jeden|kunden|nutzer|herrn|frau)\b`, `\b(deaktivier\w*|schalte?\w*|umgeh\w*|stopp\w*)( [^ .!?;]+){0,4}? ?(protokollierung|sicherheits\w+|moderation|logging|filter|uberwachung|uberprufung)\b`,
	`\b(insulte[rz]?|menace[rz]?|harcele[rz]?|humilie[rz]?|moque)\b`, `\b(desactive[rz]?|contourne[rz]?|arrete[rz]?)( [^ .!?;]+){0,4}? (securite|moderation|journalisation|filtres?|journaux|surveillance)\b`,
	`\b(insulta|amenaza|acosa|humilla|insulte|amenace) (a|al)\b`, `\b(desactiva|desactive|apaga|elude|omite|deshabilita)( [^ .!?;]+){0,4}? (seguridad|moderacion|registros?|filtros?|monitoreo|verificacion|auditoria)\b`,
	`\b(insulta|minaccia|umilia) (il|i|la|gli|le)\b`, `\b(disattiva|disabilita|aggira)( [^ .!?;]+){0,4}? (sicurezza|moderazione|registri|filtr[io]|log|monitoraggio)\b`,
	`\b(insulte|ameace|humilhe) (o|os|a|as)\b`, `\b(desative|desabilite|desligue|contorne)( [^ .!?;]+){0,4}? (seguranca|moderacao|registros?|filtros?|logs|monitoramento)\b`,
	`(оскорбляи|оскорби|угрожаи|унижаи|высмеиваи)`, `(отключи|выключи|обоиди|деактивируи)( [^ .!?;]+){0,4}? ?(безопасност|модераци|логирован|журнал|фильтр|мониторинг|проверк)`,
	`(侮辱|威胁|骚扰|羞辱|辱骂)`, `(关闭|禁用|停用|绕过).{0,8}(安全|日志|审核|过滤|监控|验证)`, `(侮辱し|脅迫|脅し|罵倒)`, `(安全|ロク|監視|フィルター|フィルタ|検閲|モテレーション).{0,6}(無効|停止|オフ|切って)`,
)
