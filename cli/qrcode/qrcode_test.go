package qrcode

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	reader "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"
)

const uri = "sgnl://linkdevice?uuid=sJ9aN0mQ6yqv1b3T5c7d9Q&pub_key=BXkQ3xq0mJc4b1hT8N6l2cV7z5p9s3w1y0u4o6i8e2ra&capabilities="

func TestTerminal(t *testing.T) {
	code, err := New(uri)
	require.NoError(t, err)
	for _, coloured := range []bool{true, false} {
		text := code.Terminal(coloured)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		require.Len(t, lines, code.Lines())
		rows := make([]string, len(lines))
		for i, line := range lines {
			if coloured {
				require.True(t, strings.HasPrefix(line, blackOnWhite) && strings.HasSuffix(line, plain))
				line = strings.TrimSuffix(strings.TrimPrefix(line, blackOnWhite), plain)
			}
			require.Len(t, []rune(line), code.Columns())
			rows[i] = line
		}
		require.Equal(t, uri, scan(t, picture(rows, coloured)))
	}
}

// picture shows what a camera sees: ink is dark on a coloured terminal, and light on a dark one without colours.
func picture(lines []string, inkIsDark bool) image.Image {
	const scale = 4
	width := len([]rune(lines[0])) * scale
	shown := image.NewGray(image.Rect(0, 0, width, len(lines)*2*scale))
	for y := range shown.Bounds().Dy() {
		for x := range width {
			block := []rune(lines[y/scale/2])[x/scale]
			ink := block == '█' || block == '▀' && y/scale%2 == 0 || block == '▄' && y/scale%2 == 1
			if ink != inkIsDark {
				shown.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	return shown
}

func TestPNG(t *testing.T) {
	code, err := New(uri)
	require.NoError(t, err)
	decoded, err := png.Decode(bytes.NewReader(code.PNG()))
	require.NoError(t, err)
	require.Equal(t, 8*code.Columns(), decoded.Bounds().Dx())
	require.Equal(t, uri, scan(t, decoded))
	for y := range decoded.Bounds().Dy() {
		for x := range decoded.Bounds().Dx() {
			level := color.GrayModel.Convert(decoded.At(x, y)).(color.Gray).Y
			require.Equal(t, code.dark(x/8, y/8), level == 0)
			require.Contains(t, []uint8{0, 255}, level)
		}
	}
}

func TestTooLong(t *testing.T) {
	_, err := New(strings.Repeat("x", 3000))
	require.Error(t, err)
}

func scan(t *testing.T, picture image.Image) string {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	require.NoError(t, err)
	result, err := reader.NewQRCodeReader().Decode(bitmap, nil)
	require.NoError(t, err)
	return result.GetText()
}
