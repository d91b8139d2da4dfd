package wire

import "strconv"

// ErrorEvent is the event that ends a stream of api which broke off, in the shape
// that its SDKs raise as an error: `data: {"error":…}` for the chat and text
// completions, `event: response.failed` for Responses, `event: error` for
// Anthropic. It is never a forged end such as [DONE]. Code is a short word such
// as "upstream_disconnected". See [Tap.ErrorEvent] for a stream that was tapped.
func ErrorEvent(api API, message, code string) []byte {
	return errorEvent(api, message, code, Answer{}, -1)
}

// ErrorEvent is like the function of that name, with the sequence number and the
// response id that a Responses stream goes on with. An event whose lines have
// begun to arrive is closed first, so that the two do not run together. Call it
// before Answer.
func (t *Tap) ErrorEvent(message, code string) []byte {
	b := errorEvent(t.api, message, code, t.answer, t.sequence)
	switch {
	case t.mode != asEvents:
	case len(t.events.line) > 0:
		b = append([]byte("\n\n"), b...)
	case t.events.open:
		b = append([]byte("\n"), b...)
	}
	return b
}

func errorEvent(api API, message, code string, seen Answer, sequence int64) []byte {
	var b []byte
	switch api {
	case Responses:
		b = append(b, "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":"...)
		b = strconv.AppendInt(b, sequence+1, 10)
		b = appendField(b, `,"response":{"id":`, seen.ID)
		b = append(b, `,"object":"response","status":"failed"`...)
		b = appendField(b, `,"model":`, seen.Model)
		b = appendField(b, `,"error":{"code":`, code)
		b = appendField(b, `,"message":`, message)
		b = append(b, `},"output":[]}}`...)
	case Messages:
		b = append(b, "event: error\ndata: "...)
		b = append(b, ErrorBody(api, 500, message, "api_error", code)...)
	default:
		b = append(b, "data: "...)
		b = append(b, ErrorBody(api, 502, message, "server_error", code)...)
	}
	return append(b, "\n\n"...)
}

// ErrorBody is the body of an error answer in api's own shape. An empty typ is
// replaced by the API's word for status, an HTTP status code.
//
//   - OpenAI: {"error":{"message","type","param":null,"code"}}; code null when empty.
//   - Anthropic: {"type":"error","error":{"type","message"}}, which has no code.
func ErrorBody(api API, status int, message, typ, code string) []byte {
	if typ == "" {
		typ = errorType(api, status)
	}
	if api == Messages {
		b := appendField(nil, `{"type":"error","error":{"type":`, typ)
		b = appendField(b, `,"message":`, message)
		return append(b, "}}"...)
	}
	b := appendField(nil, `{"error":{"message":`, message)
	b = appendField(b, `,"type":`, typ)
	b = append(b, `,"param":null`...)
	if code == "" {
		return append(b, `,"code":null}}`...)
	}
	b = appendField(b, `,"code":`, code)
	return append(b, "}}"...)
}

// errorType is the word that an API uses for a status.
// https://docs.anthropic.com/en/api/errors, https://platform.openai.com/docs/guides/error-codes
func errorType(api API, status int) string {
	switch {
	case status == 401:
		return "authentication_error"
	case status == 403:
		return "permission_error"
	case status == 404 && api == Messages:
		return "not_found_error"
	case status == 413 && api == Messages:
		return "request_too_large"
	case status == 429 && api == Messages:
		return "rate_limit_error"
	case status == 429:
		return "requests"
	case status == 529 && api == Messages:
		return "overloaded_error"
	case status >= 500 && api == Messages:
		return "api_error"
	case status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// appendField appends name and text as a JSON string.
func appendField(b []byte, name, text string) []byte {
	b = append(append(b, name...), '"')
	return append(appendText(b, text), '"')
}
