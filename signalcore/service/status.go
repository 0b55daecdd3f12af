package service

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

const (
	statusOutdated = 499
	// maxErrorBody bounds what a StatusError keeps.
	maxErrorBody = 512
	// maxRetryAfter bounds how long the service can put off.
	maxRetryAfter = 7 * 24 * time.Hour
)

// Err turns the status of an answer into the error that it means, and a success into nil. It is the one place that knows
// REST statuses (Signal-Server MessageController and its exception mappers).
func (r *Response) Err() error {
	if r.Status >= 200 && r.Status < 300 {
		return nil
	}
	retryAfter := parseRetryAfter(r.Header)
	switch r.Status {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusConflict:
		return mismatchedDevices(r)
	case http.StatusGone:
		return staleDevices(r)
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return &RateLimitedError{RetryAfter: retryAfter}
	case http.StatusPreconditionRequired:
		return challenge(r, retryAfter)
	case statusOutdated:
		return ErrOutdated
	}
	return otherStatus(r)
}

// notFoundMeansUnregistered refines Err for requests whose 404 says that the account or device does not exist.
func notFoundMeansUnregistered(err error) error {
	if status, ok := err.(*StatusError); ok && status.Code == http.StatusNotFound {
		return ErrUnregistered
	}
	return err
}

func otherStatus(response *Response) error {
	return &StatusError{Code: response.Status, Body: string(response.Body[:min(len(response.Body), maxErrorBody)])}
}

func mismatchedDevices(response *Response) error {
	var body struct {
		MissingDevices []uint32 `json:"missingDevices"`
		ExtraDevices   []uint32 `json:"extraDevices"`
	}
	if json.Unmarshal(response.Body, &body) != nil || len(body.MissingDevices)+len(body.ExtraDevices) == 0 {
		return otherStatus(response)
	}
	return &MismatchedDevicesError{Missing: body.MissingDevices, Extra: body.ExtraDevices}
}

func staleDevices(response *Response) error {
	var body struct {
		StaleDevices []uint32 `json:"staleDevices"`
	}
	if json.Unmarshal(response.Body, &body) != nil || len(body.StaleDevices) == 0 {
		return otherStatus(response)
	}
	return &StaleDevicesError{Stale: body.StaleDevices}
}

func challenge(response *Response, retryAfter time.Duration) error {
	var body struct {
		Token   string   `json:"token"`
		Options []string `json:"options"`
	}
	if json.Unmarshal(response.Body, &body) != nil || body.Token == "" {
		return otherStatus(response)
	}
	return &ChallengeError{Token: body.Token, Options: body.Options, RetryAfter: retryAfter}
}

// parseRetryAfter reads the header's number of seconds, zero where there is none that makes sense.
func parseRetryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseInt(header.Get(headerRetryAfter), 10, 64)
	if err != nil || seconds < 0 {
		return 0
	}
	if seconds > int64(maxRetryAfter/time.Second) {
		return maxRetryAfter
	}
	return time.Duration(seconds) * time.Second
}
