package gateway

import (
	"encoding/json"
	"strconv"
	"time"
)

// The shapes below are the JSON of OTLP 1.x (opentelemetry-proto, "OTLP/HTTP"):
// ExportTraceServiceRequest and ExportLogsServiceRequest with the fields that are
// used. Ids are hex, 64-bit integers text, enumerations numbers.

type otlpResource struct {
	Attributes attributes `json:"attributes"`
}

type otlpScope struct {
	Name string `json:"name"`
}

type otlpTraces struct {
	ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
}

type otlpResourceSpans struct {
	Resource   otlpResource     `json:"resource"`
	ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
}

type otlpScopeSpans struct {
	Scope otlpScope  `json:"scope"`
	Spans []otlpSpan `json:"spans"`
}

type otlpSpan struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	ParentID   string      `json:"parentSpanId,omitempty"`
	Flags      uint32      `json:"flags"`
	Name       string      `json:"name"`
	Kind       int         `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []attribute `json:"attributes"`
	Status     otlpStatus  `json:"status"`
}

type otlpStatus struct {
	Code int `json:"code,omitempty"`
}

type otlpLogs struct {
	ResourceLogs []otlpResourceLogs `json:"resourceLogs"`
}

type otlpResourceLogs struct {
	Resource  otlpResource    `json:"resource"`
	ScopeLogs []otlpScopeLogs `json:"scopeLogs"`
}

type otlpScopeLogs struct {
	Scope   otlpScope   `json:"scope"`
	Records []otlpEvent `json:"logRecords"`
}

type otlpEvent struct {
	Time       string     `json:"timeUnixNano"`
	Observed   string     `json:"observedTimeUnixNano"`
	Severity   int        `json:"severityNumber"`
	Name       string     `json:"eventName"`
	Attributes attributes `json:"attributes"`
	TraceID    string     `json:"traceId,omitempty"`
	SpanID     string     `json:"spanId,omitempty"`
	Flags      uint32     `json:"flags,omitempty"`
}

// Numbers of OTLP's enumerations.
const (
	kindClient   = 3 // SPAN_KIND_CLIENT
	statusError  = 2 // STATUS_CODE_ERROR
	severityInfo = 9 // SEVERITY_NUMBER_INFO
)

func encodeSpans(service string, spans []span) []byte {
	out := make([]otlpSpan, len(spans))
	for i := range spans {
		s := &spans[i]
		out[i] = otlpSpan{
			TraceID: s.trace, SpanID: s.span, ParentID: s.parent, Flags: s.flags, Name: s.name, Kind: kindClient,
			Start: nanos(s.start), End: nanos(s.end), Attributes: s.attributes,
		}
		if s.failed != "" {
			out[i].Status.Code = statusError
		}
	}
	return encoded(otlpTraces{[]otlpResourceSpans{{resource(service), []otlpScopeSpans{{otlpScope{"heed/gateway"}, out}}}}})
}

func encodeEvents(service string, events []event) []byte {
	out := make([]otlpEvent, len(events))
	for i := range events {
		e := &events[i]
		at := nanos(e.f.Time)
		out[i] = otlpEvent{Time: at, Observed: at, Severity: severityInfo, Name: "gen_ai.evaluation.result", Attributes: e.attributes()}
		if e.linked {
			out[i].TraceID, out[i].SpanID, out[i].Flags = e.link.trace, e.link.span, e.link.flags
		}
	}
	return encoded(otlpLogs{[]otlpResourceLogs{{resource(service), []otlpScopeLogs{{otlpScope{"heed/gateway"}, out}}}}})
}

func resource(service string) otlpResource {
	a := attributes{}
	a.text("service.name", service)
	return otlpResource{a}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: encode telemetry: " + err.Error())
	}
	return b
}
