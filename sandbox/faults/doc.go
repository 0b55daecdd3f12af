// Package faults makes the sandbox fail on demand: calls that are slow, refused, or left without an answer, connections
// that end in the middle of a frame, and queues that are full, repeat themselves, or lose their order. It holds rules,
// which a test, or an HTTP request to the control endpoint, switches on.
//
// A rule names what it befalls, and how often. Faults of calls are carried out by package wire, those of recipients and
// their queues by package messages; nothing here touches a connection or a queue.
//
// Sources: what refusals look like is Signal-Server's (mappers/RateLimitExceededExceptionMapper for 429,
// spam/ChallengeResponse for 428, controllers/MessageController for 409, 410 and a recipient who gets too much).
package faults
