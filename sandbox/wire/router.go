package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rs/zerolog"
)

// Access says who may make a call.
type Access int

// The ways of Signal-Server to take an @Auth parameter.
const (
	// Anyone may call; who called is not looked at, and its Authorization header is the handler's.
	Anyone Access = iota
	// Either a device or nobody in particular: Optional<AuthenticatedDevice>. Credentials that are wrong are as good as
	// none (Dropwizard's WebApplicationExceptionCatchingFilter).
	Either
	// DeviceOnly refuses with 401 who is not a device.
	DeviceOnly
)

// Handler answers one call. A *Refusal as error has its status, anything else is 500.
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Router finds the handler of a call.
type Router struct {
	log    zerolog.Logger
	routes []route
	before []Interceptor
	after  func(*Request)
	around Surrounding
}

type route struct {
	method   string
	segments []string
	access   Access
	handler  Handler
}

// NewRouter returns a router without routes. What handlers fail with goes to the log.
func NewRouter(log zerolog.Logger) *Router { return &Router{log: log} }

// Handle adds a route. Segments of the pattern in braces match anything, and are the request's Values. Routes are added
// before the first call.
func (rt *Router) Handle(method, pattern string, access Access, handler Handler) {
	rt.routes = append(rt.routes, route{method, split(pattern), access, handler})
}

func split(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// After has a function called when a call was handled, before its answer leaves; before the first call.
func (rt *Router) After(handled func(*Request)) { rt.after = handled }

// Route answers a call; nil is a call without an answer, whose connection is to be cut.
func (rt *Router) Route(ctx context.Context, r *Request) *Response {
	return rt.befall(ctx, r, func() *Response {
		response, err := rt.answer(ctx, r)
		if rt.after != nil {
			rt.after(r)
		}
		if err == nil {
			return response
		}
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			rt.log.Error().Err(err).Str("call", r.Method+" "+r.Path).Msg("sandbox: a call failed")
			refusal = Refuse(http.StatusInternalServerError)
		}
		return refusal.response()
	})
}

func (rt *Router) answer(ctx context.Context, r *Request) (response *Response, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			response, err = nil, fmt.Errorf("panic: %v", recovered)
		}
	}()
	found, err := rt.find(r)
	if err != nil {
		return nil, err
	}
	return found.authorized(ctx, r)
}

// authorized is the handler behind the route's access.
func (found route) authorized(ctx context.Context, r *Request) (*Response, error) {
	switch {
	case found.access == Anyone:
		r.By = nil
	case found.access == DeviceOnly && r.By == nil && r.Socket != nil:
		return nil, unauthorizedSocket()
	case found.access == DeviceOnly && r.By == nil:
		return nil, Unauthorized()
	}
	return found.handler(ctx, r)
}

// find picks the route with the most literal segments, as JAX-RS does. 405 where only the method is wrong.
func (rt *Router) find(r *Request) (route, error) {
	segments := split(r.Path)
	status, best := http.StatusNotFound, -1
	var chosen route
	for _, candidate := range rt.routes {
		values, literal, ok := match(candidate.segments, segments)
		switch {
		case !ok:
		case candidate.method != r.Method:
			if status == http.StatusNotFound {
				status = http.StatusMethodNotAllowed
			}
		case literal > best:
			best, chosen, r.Values = literal, candidate, values
		}
	}
	if best < 0 {
		return route{}, Refuse(status)
	}
	return chosen, nil
}

func match(pattern, segments []string) (values map[string]string, literal int, ok bool) {
	if len(pattern) != len(segments) {
		return nil, 0, false
	}
	values = map[string]string{}
	for i, part := range pattern {
		if name, isValue := strings.CutPrefix(part, "{"); isValue {
			value, err := url.PathUnescape(segments[i])
			if err != nil {
				return nil, 0, false
			}
			values[strings.TrimSuffix(name, "}")] = value
			continue
		}
		if part != segments[i] {
			return nil, 0, false
		}
		literal++
	}
	return values, literal, true
}
