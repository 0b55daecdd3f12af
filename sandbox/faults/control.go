package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const maxControl = 64 << 10

// Handler is the control endpoint: GET lists the rules, PUT replaces them by a JSON list, DELETE takes them all back;
// POST /cut ends all connections but its own, which cut does by the context of a request.
func (s *Switches) Handler(cut func(request context.Context)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Rules())
	})
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControl))
		if err != nil {
			refuse(w, http.StatusRequestEntityTooLarge, err)
			return
		}
		rules, err := parse(body)
		if err == nil {
			err = s.Set(rules...)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		_ = s.Set()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /cut", func(w http.ResponseWriter, r *http.Request) {
		cut(r.Context())
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// refuse says why, as the other control endpoints do.
func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

// parse reads a JSON list of rules. What a rule does not have is refused, since it would be a fault that never comes.
func parse(body []byte) ([]Rule, error) {
	if !json.Valid(body) {
		return nil, fmt.Errorf("%w: not JSON", ErrRule)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil || raw == nil {
		return nil, fmt.Errorf("%w: not a list", ErrRule)
	}
	if len(raw) > maxRules {
		return nil, fmt.Errorf("%w: more than %d", ErrRule, maxRules)
	}
	rules := make([]Rule, len(raw))
	for i, one := range raw {
		if err := strict(one, &rules[i]); err != nil {
			return nil, fmt.Errorf("%w: rule %d: %w", ErrRule, i+1, err)
		}
	}
	return rules, nil
}

func strict(text json.RawMessage, into *Rule) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if into.Kind == "" {
		return errors.New("without a kind")
	}
	return nil
}
