// Package qrcodetest sees a terminal as a camera does: it turns text with colours into a picture, as a terminal with a
// dark or a light background shows it, and reads the QR code in it. For tests.
package qrcodetest

import (
	"fmt"
	"image"
	"image/color"
	"strconv"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// Ground is a terminal's own colours, as levels of grey.
type Ground struct{ Text, Background uint8 }

var (
	// Dark is light text on a dark background.
	Dark = Ground{Text: 230, Background: 20}
	// Light is dark text on a light background.
	Light = Ground{Text: 30, Background: 250}
)

// A place on the terminal takes so many pixels. The characters leave out the last line of it, as those of many fonts do.
const (
	CellWidth  = 4
	CellHeight = 8
	gap        = 1
)

// Photograph shows lines of text. It knows colours by number of the palette of 256, and the block characters.
func Photograph(text string, ground Ground) (*image.Gray, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	seen := &view{ground: ground, Gray: image.NewGray(image.Rect(0, 0, 120*CellWidth, (len(lines)+2)*CellHeight))}
	for i := range seen.Pix {
		seen.Pix[i] = ground.Background
	}
	for i, line := range lines {
		if err := seen.line(line, i); err != nil {
			return nil, err
		}
	}
	return seen.Gray, nil
}

type view struct {
	*image.Gray
	ground           Ground
	text, background uint8
}

func (v *view) line(line string, row int) error {
	v.text, v.background = v.ground.Text, v.ground.Background
	for column := 0; line != ""; column++ {
		for strings.HasPrefix(line, "\x1b[") {
			codes, rest, found := strings.Cut(line[2:], "m")
			if !found || v.colour(strings.Split(codes, ";")) != nil {
				return fmt.Errorf("no colour: %q", line)
			}
			line = rest
		}
		if line == "" {
			break
		}
		character := []rune(line)[0]
		line = strings.TrimPrefix(line, string(character))
		v.character(character, column, row)
	}
	return nil
}

// colour takes "0", or pairs of colours "38;5;N" and "48;5;N" of the palette's grey ends.
func (v *view) colour(codes []string) error {
	if len(codes) == 1 && codes[0] == "0" {
		v.text, v.background = v.ground.Text, v.ground.Background
		return nil
	}
	for ; len(codes) >= 3; codes = codes[3:] {
		number, err := strconv.Atoi(codes[2])
		level, known := map[int]uint8{16: 0, 231: 255}[number]
		if err != nil || !known || codes[1] != "5" {
			return fmt.Errorf("colour %v", codes)
		}
		if codes[0] == "38" {
			v.text = level
		} else {
			v.background = level
		}
	}
	return nil
}

func (v *view) character(character rune, column, row int) {
	for y := range CellHeight {
		upper := y < CellHeight/2
		ink := y < CellHeight-gap && (character == '█' || character == '▀' && upper || character == '▄' && !upper)
		level := v.background
		if ink {
			level = v.text
		}
		for x := range CellWidth {
			v.SetGray(column*CellWidth+x, row*CellHeight+y, color.Gray{Y: level})
		}
	}
}

// Scan reads the code in a picture.
func Scan(picture image.Image) (string, error) {
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		return "", err
	}
	return result.GetText(), nil
}
