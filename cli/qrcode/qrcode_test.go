package qrcode

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/cli/qrcode/qrcodetest"
)

const uri = "sgnl://linkdevice?uuid=sJ9aN0mQ6yqv1b3T5c7d9Q&pub_key=BXkQ3xq0mJc4b1hT8N6l2cV7z5p9s3w1y0u4o6i8e2ra&capabilities="

// TestTerminal: on dark and on light terminals the code is dark on light, with its margin, and can be scanned.
func TestTerminal(t *testing.T) {
	code, err := New(uri)
	require.NoError(t, err)
	for _, ground := range []qrcodetest.Ground{qrcodetest.Dark, qrcodetest.Light} {
		for _, form := range []Form{
			{Coloured: true, Margin: Quiet}, {Coloured: true, Margin: Tight}, {Margin: Quiet}, {Margin: Tight},
			{Coloured: true, Spaces: true, Margin: Quiet}, {Coloured: true, Spaces: true, Margin: Tight},
		} {
			text := code.Terminal(form)
			columns, lines := code.Size(form)
			require.Equal(t, lines, strings.Count(text, "\n"))
			require.Equal(t, form.Coloured, strings.Contains(text, "\x1b"))
			if !form.Coloured && ground == qrcodetest.Light {
				continue // inverted
			}
			seen, err := qrcodetest.Photograph(text, ground)
			require.NoError(t, err)
			found, err := qrcodetest.Scan(seen)
			require.NoError(t, err, "%+v on %+v", form, ground)
			require.Equal(t, uri, found)
			requireSquares(t, code, form, seen, columns, lines)
		}
	}
}

// requireSquares checks the middle of each square, the margin's too.
func requireSquares(t *testing.T, code Code, form Form, seen *image.Gray, columns, lines int) {
	t.Helper()
	width, height := qrcodetest.CellWidth, qrcodetest.CellHeight/2
	if form.Spaces {
		width, height, columns = 2*width, 2*height, columns/2
	} else {
		lines *= 2
	}
	for row := range lines {
		for column := range columns {
			level := seen.GrayAt(column*width+width/2, row*height+height/2).Y
			require.Equal(t, code.dark(column, row, form.Margin), level < 128, "%+v: row %d, column %d", form, row, column)
		}
	}
}

func TestPNG(t *testing.T) {
	code, err := New(uri)
	require.NoError(t, err)
	decoded, err := png.Decode(bytes.NewReader(code.PNG()))
	require.NoError(t, err)
	columns, _ := code.Size(Form{Margin: Quiet})
	require.Equal(t, 8*columns, decoded.Bounds().Dx())
	found, err := qrcodetest.Scan(decoded)
	require.NoError(t, err)
	require.Equal(t, uri, found)
	for y := range decoded.Bounds().Dy() {
		for x := range decoded.Bounds().Dx() {
			level := color.GrayModel.Convert(decoded.At(x, y)).(color.Gray).Y
			require.Equal(t, code.dark(x/8, y/8, Quiet), level == 0)
			require.Contains(t, []uint8{0, 255}, level)
		}
	}
}

func TestTooLong(t *testing.T) {
	_, err := New(strings.Repeat("x", 3000))
	require.Error(t, err)
}
