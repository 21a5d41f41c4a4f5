package api

import (
	"encoding/json"
	"errors"
)

// CommandHistory is the answer to GET /api/v1/cas/{ca}/history/commands.
type CommandHistory struct {
	Offset   int              `json:"offset"`
	Total    int              `json:"total"` // of those in the given span of time
	Commands []CommandSummary `json:"commands"`
}

// CommandSummary is one command of the history, without details.
type CommandSummary struct {
	Actor     string        `json:"actor"`
	Timestamp int64         `json:"timestamp"` // Unix milliseconds
	Handle    string        `json:"handle"`
	Version   int64         `json:"version"`
	Summary   Summary       `json:"summary"`
	Effect    SummaryEffect `json:"effect"`
}

// Summary says in one line what a command was.
type Summary struct {
	Msg   string            `json:"msg"`
	Label string            `json:"label"`
	Args  map[string]string `json:"args"`
}

// SummaryEffect is what became of a command: {"Ok":[]}, {"Error":"text"} or,
// for the one that created the CA, {"Init":[]}.
type SummaryEffect struct {
	Error *string
	Init  bool
}

// MarshalJSON writes one of the three forms.
func (e SummaryEffect) MarshalJSON() ([]byte, error) {
	switch {
	case e.Error != nil:
		return Marshal(map[string]string{"Error": *e.Error})
	case e.Init:
		return []byte(`{"Init":[]}`), nil
	default:
		return []byte(`{"Ok":[]}`), nil
	}
}

// UnmarshalJSON reads the three forms; what the lists hold is passed over.
func (e *SummaryEffect) UnmarshalJSON(data []byte) error {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(data, &in); err != nil || len(in) != 1 {
		return errors.New(`an effect is {"Ok":[]}, {"Error":"text"} or {"Init":[]}`)
	}
	*e = SummaryEffect{}
	if text, ok := in["Error"]; ok {
		return json.Unmarshal(text, &e.Error)
	}
	_, e.Init = in["Init"]
	if _, ok := in["Ok"]; !ok && !e.Init {
		return errors.New(`an effect is {"Ok":[]}, {"Error":"text"} or {"Init":[]}`)
	}
	return nil
}

// CommandDetails is the answer to GET /api/v1/cas/{ca}/history/details/{version}.
type CommandDetails struct {
	Actor   string          `json:"actor"`
	Time    Time            `json:"time"`
	Handle  string          `json:"handle"`
	Version int64           `json:"version"`
	Msg     string          `json:"msg"`
	Details json.RawMessage `json:"details"` // an object with "type" and the command's own fields, sorted by name
	Effect  DetailsEffect   `json:"effect"`
}

// DetailsEffect is what became of a command. Result "success" has Events,
// "error" has Msg, "init" has Init.
type DetailsEffect struct {
	Result string
	Events []EventDetails
	Msg    string
	Init   *EventDetails
}

// EventDetails is one event.
type EventDetails struct {
	Msg     string          `json:"msg"`
	Details json.RawMessage `json:"details"`
}

// MarshalJSON writes only what belongs to the result.
func (e DetailsEffect) MarshalJSON() ([]byte, error) {
	switch e.Result {
	case "init":
		return Marshal(struct {
			Result string        `json:"result"`
			Init   *EventDetails `json:"init"`
		}{e.Result, e.Init})
	case "error":
		return Marshal(struct {
			Result string `json:"result"`
			Msg    string `json:"msg"`
		}{e.Result, e.Msg})
	default:
		return Marshal(struct {
			Result string         `json:"result"`
			Events []EventDetails `json:"events"`
		}{e.Result, append([]EventDetails{}, e.Events...)})
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *DetailsEffect) UnmarshalJSON(data []byte) error {
	var in struct {
		Result string         `json:"result"`
		Events []EventDetails `json:"events"`
		Msg    string         `json:"msg"`
		Init   *EventDetails  `json:"init"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*e = DetailsEffect(in)
	return nil
}
