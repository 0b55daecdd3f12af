package zkcredential

import (
	"fmt"
	"io"
)

// The secrets print as placeholders for every verb, so that they do not end up in a log: fmt does not ask unexported
// fields how they want to be printed.

// Format prints a placeholder.
func (k EncryptionKeyPair) Format(f fmt.State, _ rune) {
	placeholder(f, "attribute encryption key pair")
}

// Format prints a placeholder.
func (k CredentialKeyPair) Format(f fmt.State, _ rune) { placeholder(f, "credential key pair") }

// Format prints a placeholder.
func (k BlindingKeyPair) Format(f fmt.State, _ rune) { placeholder(f, "blinding key pair") }

// Format prints a placeholder.
func (c Credential) Format(f fmt.State, _ rune) { placeholder(f, "credential") }

// Format prints a placeholder.
func (k EndorsementRootKeyPair) Format(f fmt.State, _ rune) {
	placeholder(f, "endorsement root key pair")
}

// Format prints a placeholder.
func (k EndorsementKeyPair) Format(f fmt.State, _ rune) { placeholder(f, "endorsement key pair") }

// Format prints a placeholder.
func (k EndorsementDecryptionKey) Format(f fmt.State, _ rune) {
	placeholder(f, "endorsement decryption key")
}

// Format prints a placeholder.
func (e Endorsement) Format(f fmt.State, _ rune) { placeholder(f, "endorsement") }

func placeholder(f fmt.State, what string) { _, _ = io.WriteString(f, "("+what+")") }
