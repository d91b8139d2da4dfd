// Package wire reads and patches the model APIs' JSON and event streams as bytes.
//
// Start with [Parse], which finds in a client's request body the few fields that
// Heed looks at, and [Request.Patch], which returns those bytes with another
// model name and an injected block, every other byte as sent. [Tap] follows an
// answer as it is relayed and keeps what the log needs; [View] shows a logged
// exchange as a conversation.
//
// Nothing here does I/O, and a client's request is never decoded into a type and
// encoded again: unknown fields, key order, number spelling, escapes and
// duplicate keys stay as they were.
package wire

// API is the shape of a request and its answer.
type API uint8

// The APIs that Heed understands. Other carries anything else through untouched.
const (
	Other       API = iota
	Chat            // POST …/chat/completions
	Responses       // POST …/responses
	Messages        // POST …/messages (Anthropic)
	Completions     // POST …/completions
	Embeddings      // POST …/embeddings
)

// Placement says where Patch puts the injected block (DESIGN section 6).
type Placement uint8

// Placements. System is the default.
const (
	System Placement = iota // end of the first system or developer message; a new one when there is none
	Tail                    // an own system message before the last user message: no byte before it changes
	User                    // start of the last user message
)

// MaxSystemBytes is how much is kept of one text in Request.System: as much as
// tells steps apart (rules/match looks no further). The rest is in Opening's hash.
const MaxSystemBytes = 16 << 10

// Request is what Heed reads in a client's request. Strings are copies of decoded
// text; the offsets that Patch needs are private. It does not keep the body.
type Request struct {
	API        API
	Model      string   // as the client wrote it; "" when absent
	Models     int      // fields called model, in any case: above 1 an upstream may read another one
	Stream     bool     //
	User       string   // `user`, `safety_identifier` or Anthropic's metadata.user_id; "" when absent
	PreviousID string   // Responses: previous_response_id
	System     []string // text of system and developer messages, `instructions`, `system` blocks, in order; each at most MaxSystemBytes
	Turns      []Turn   // messages of role user, in order
	Opening    uint64   // hash of the messages up to and with the first user message (for the unit)
	Tools      []string // names of the tools offered, in order
	Format     string   // response shape: "", "json_object", or "json_schema:<name or hash>"
	ForcedTool bool     // tool_choice demands a tool call
	MaxTokens  int64    // the client's output limit, in tokens; 0 when unset

	ConversationID string // Responses: id of the stored conversation; "" when absent

	place   place
	scratch scratch
}

// Turn is one message of role user.
type Turn struct {
	Text string // its text parts joined by newlines; images and files are left out
	Tool bool   // it only carries tool results (Anthropic, Responses): no person wrote it
}

// Patch says what to change in a request's bytes. The zero value changes nothing.
type Patch struct {
	Model     string // replaces the model's name; "" keeps it
	Block     string // text to inject; "" injects nothing
	Placement Placement
}

// Usage is the token counts that an upstream reported.
type Usage struct {
	InputTokens, OutputTokens, CachedTokens int64
}

// Answer is what a Tap saw of an answer.
type Answer struct {
	ID       string // the upstream's id (chatcmpl-…, resp_…, msg_…)
	Model    string // response model
	Text     string // what a person would read, up to the tap's limit
	Finish   string // finish or stop reason as the upstream names it
	Refusal  bool   // the model declined (refusal field, content filter)
	Tools    []ToolCall
	Usage    *Usage // nil when the upstream did not report it
	Complete bool   // the API's own end was seen: [DONE], a finish reason, response.completed, message_stop, whole JSON
	Error    string // message of an error object in the body or stream
	Other    bool   // there was output that is neither text nor a tool call: images, audio, built-in tools
	Cut      bool   // the tap's limit cut Text or some Arguments
}

// ToolCall is a call of a tool that the model asked for.
type ToolCall struct {
	Name, Arguments string // Arguments as sent: JSON text, perhaps broken
}

// Conversation is a logged exchange in a form for people.
type Conversation struct {
	Messages []Message // request's messages, then the answer's
	Model    string
	Tools    []string
}

// Message is one message of a Conversation.
type Message struct {
	Role  string // system, developer, user, assistant, tool
	Text  string
	Calls []ToolCall
	Media []string // what was left out: "image", "file", "audio"
}
