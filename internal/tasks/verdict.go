package tasks

import (
	"encoding/json"
	"math/rand/v2"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/postgres"
)

const (
	// baseBackoff is the wait after the first failure; each further one doubles it.
	baseBackoff = time.Second

	// instantRetries is how many conflicts in a row are tried again at once.
	instantRetries = 5
)

// verdict is what becomes of a row after an attempt.
type verdict struct {
	done     bool            // delete it, unless it was scheduled again meanwhile
	runAt    time.Time       // otherwise wait until then; zero: parked
	failures int             // in a row, with this one
	fault    json.RawMessage // the failure; nil keeps the last one, if there are failures
}

func succeeded(o Outcome) verdict {
	return verdict{done: o.Again.IsZero(), runAt: o.Again}
}

// released gives a task back untouched: its node is shutting down.
func released(now time.Time, failures int) verdict {
	return verdict{runAt: now, failures: failures}
}

// failed decides by the kind of the error. Invalid and Denied can never
// succeed: parked. NotFound and Exists mean that there is nothing left to do.
// Conflict means that the state moved on: again now. All others, again later.
func (w *Worker) failed(err error, failures int) verdict {
	kind, now := fault.Of(err), w.now()
	v := verdict{failures: failures + 1, fault: describe(kind, err)}
	switch kind {
	case fault.NotFound, fault.Exists:
		return verdict{done: true}
	case fault.Invalid, fault.Denied:
		return v
	case fault.Conflict:
		if v.failures <= instantRetries {
			v.runAt = now
			return v
		}
	}
	v.runAt = now.Add(backoff(v.failures, w.maxBackoff()))
	return v
}

// backoff doubles from baseBackoff to limit; the actual wait is between half
// of that and all of it, so that tasks which failed together spread.
func backoff(failures int, limit time.Duration) time.Duration {
	d := limit
	if failures < 30 {
		d = min(limit, baseBackoff<<(failures-1))
	}
	return d/2 + rand.N(d/2+1)
}

// describe is the form of a failure that is kept with the task.
func describe(kind fault.Kind, err error) json.RawMessage {
	text := postgres.Text(err.Error())
	raw, err := es.Encode(LastFault{Kind: kind.String(), Code: fault.Code(err), Msg: text})
	if err != nil {
		return nil
	}
	return raw
}
