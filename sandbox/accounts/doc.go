// Package accounts is the sandbox's register: accounts, their devices with passwords and prekeys, profiles, and what
// the service vouches for with its keys, which are sender certificates and zero-knowledge credentials.
//
// A Book holds the state, each of its methods is one step under one lock, and Routes answers the calls. Each handler
// names the controller of Signal-Server that it follows; what differs is that an account is made by Register, in place
// of a phone number's verification. Messages, groups and files are in the packages beside this one.
package accounts
