//go:build nosandbox

package main

import (
	"context"

	"github.com/rs/zerolog"
)

// This build leaves the sandbox out.

type sandboxOptions struct{}

func (sandboxOptions) check(string, bool) error { return nil }

func serveSandbox(context.Context, *options, zerolog.Logger) (bool, error) { return false, nil }
