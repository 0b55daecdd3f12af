package statuscodes

import (
	"errors"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signalbox/signalcore/service"
)

// Details are the further fields that some errors add to a reply.
type Details struct {
	// RetryAfterSeconds goes with RateLimited, and with ChallengeRequired where the service said so.
	RetryAfterSeconds int64 `json:"retryAfterSeconds,omitempty" jsonschema:"description=with RATE_LIMITED\\, and CHALLENGE_REQUIRED where the service said so: try again then"`
	// ChallengeToken and ChallengeOptions go with ChallengeRequired.
	ChallengeToken   string   `json:"challengeToken,omitempty" jsonschema:"description=with CHALLENGE_REQUIRED"`
	ChallengeOptions []string `json:"challengeOptions,omitempty" jsonschema:"description=with CHALLENGE_REQUIRED: what the service would take"`
}

// DetailsOf returns what an error adds to its reply.
func DetailsOf(err error) Details {
	if limited, ok := errors.AsType[*service.RateLimitedError](err); ok {
		return Details{RetryAfterSeconds: seconds(limited.RetryAfter)}
	}
	if challenge, ok := errors.AsType[*service.ChallengeError](err); ok {
		return Details{
			RetryAfterSeconds: seconds(challenge.RetryAfter),
			ChallengeToken:    challenge.Token,
			ChallengeOptions:  challenge.Options,
		}
	}
	return Details{}
}

// seconds rounds up, so that who waits that long has waited enough.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// Sentence writes an error as a sentence for a person: errors in Go begin small and end without a full stop.
func Sentence(err error) string {
	text := strings.TrimSpace(err.Error())
	if text == "" {
		return "Something went wrong."
	}
	r, size := utf8.DecodeRuneInString(text)
	if second, _ := utf8.DecodeRuneInString(text[size:]); !unicode.IsUpper(second) && plainWord(text) {
		text = string(unicode.ToUpper(r)) + text[size:]
	}
	if !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text
}

// plainWord tells whether a text begins with a word of a language, and not with a name such as dataMessage.message.
func plainWord(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	for i, r := range word {
		if i > 0 && unicode.IsUpper(r) || strings.ContainsRune("_.[]", r) {
			return false
		}
	}
	return true
}
