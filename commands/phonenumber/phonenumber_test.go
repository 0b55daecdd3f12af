package phonenumber

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"+12025550123":            "+12025550123",
		"+1 (202) 555-01.23":      "+12025550123",
		"+43 (0)664 1234567":      "+436641234567", // the zero is dialled within Austria alone
		"+39 06 1234 5678":        "+390612345678", // this one belongs to the number
		"+54 9 11 1234-5678":      "+5491112345678",
		"+54 11 15 1234-5678":     "+5491112345678", // a mobile phone as it is written in Argentina
		"+44 020 7946 0000":       "+442079460000",
		"+881 612345678":          "+881612345678", // a satellite's
		"+999 12345678":           "",              // no such code
		"+1":                      "",
		"+":                       "",
		"":                        "",
		"12025550123":             "", // without +
		"0043 664 1234567":        "",
		"++12025550123":           "",
		"+1202555012":             "", // too short
		"+120255501234":           "", // too long
		"+1202555O123":            "", // a letter
		"+١٢٠٢٥٥٥٠١٢٣":            "",
		"+1202555012345678901234": "",
	} {
		got, ok := Parse(text)
		require.Equal(t, want, got, text)
		require.Equal(t, want != "", ok, text)
	}
}

// library is what the library that the plans come from makes of the same.
func library(text string) (string, bool) {
	number, err := phonenumbers.Parse(decoration.Replace(text), phonenumbers.UNKNOWN_REGION)
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return "", false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}

// Digits at random behind each code, with what may be dialled before numbers at home.
func TestParseIsTheLibrarys(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range plans {
		for range 150 {
			text := "+" + p.code + []string{"", "", "0", "1", "8", "00", "01"}[random.IntN(7)]
			for range random.IntN(16) {
				text += strconv.Itoa(random.IntN(10))
			}
			same(t, text)
		}
	}
	for code := range 1000 {
		same(t, "+"+strconv.Itoa(code)+"12345678")
	}
}

func same(t *testing.T, text string) {
	t.Helper()
	want, possible := library(text)
	got, ok := Parse(text)
	require.Equal(t, want, got, text)
	require.Equal(t, possible, ok, text)
}

// Every example of the metadata is a number, in its country's own form, too.
func TestExamplesOfAllRegions(t *testing.T) {
	for region := range phonenumbers.GetSupportedRegions() {
		example := phonenumbers.GetExampleNumber(region)
		want := phonenumbers.Format(example, phonenumbers.E164)
		for _, form := range []phonenumbers.PhoneNumberFormat{phonenumbers.E164, phonenumbers.INTERNATIONAL} {
			got, ok := Parse(phonenumbers.Format(example, form))
			require.True(t, ok, want)
			require.Equal(t, want, got)
		}
	}
}

// A newer version of the library brings newer plans: go generate.
func TestPlansAreTheLibrarys(t *testing.T) {
	before, err := os.ReadFile("plans.go")
	require.NoError(t, err)
	directory := t.TempDir()
	generate, err := filepath.Abs("generate.go")
	require.NoError(t, err)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(directory, "generate"), generate)
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	run := exec.CommandContext(t.Context(), filepath.Join(directory, "generate"))
	run.Dir = directory
	output, err = run.CombinedOutput()
	require.NoError(t, err, string(output))
	after, err := os.ReadFile(filepath.Join(directory, "plans.go"))
	require.NoError(t, err)
	require.Equal(t, string(after), string(before))
}

func FuzzParse(f *testing.F) {
	f.Add("+1 (202) 555-0123")
	f.Add("+43 (0)664 1234567")
	f.Add("+54 11 15 1234-5678")
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := Parse(text); ok {
			same(t, text)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			Parse("+43 664 1234567")
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			library("+43 664 1234567")
		}
	})
}
