import fc from 'fast-check'
import t from 'tap'
import { escapeUnprintable, toPrintable } from '../../lib/common/printable.js'
import { assertProperty } from '../fixtures/property.js'

const texts: ReadonlyArray<readonly [text: string, shown: string, why: string]> = [
  ['', '', 'nothing'],
  ['jürgen 例え', 'jürgen 例え', 'letters of every script'],
  ['😀', '😀', 'a character of two units'],
  ['a\nb\r\tc', 'a\\u{a}b\\u{d}\\u{9}c', 'line ends and tabs'],
  ['\u001b[31m\u009b', '\\u{1b}[31m\\u{9b}', 'what moves the cursor of a terminal'],
  ['\u202ea\u2066b\u200fc\u061c', '\\u{202e}a\\u{2066}b\\u{200f}c\\u{61c}', 'what turns the direction'],
  ['a\u200bb\u00adc\ufeff\u{e0041}', 'a\\u{200b}b\\u{ad}c\\u{feff}\\u{e0041}', 'what is invisible'],
  ['\u2028\u2029\u0085', '\\u{2028}\\u{2029}\\u{85}', 'Unicode line ends'],
  ['\ud83d', '\\u{d83d}', 'half a character'],
  ['x'.repeat(40), 'x'.repeat(40), 'the longest text'],
  ['x'.repeat(41), `${'x'.repeat(40)}...`, 'a longer one'],
  [`${'x'.repeat(39)}😀`, `${'x'.repeat(39)}...`, 'a cut between the halves of a character'],
  ['\u202e'.repeat(1_000_000), `${'\\u{202e}'.repeat(5)}...`, 'a very long one']
]
for (const [text, shown, why] of texts) {
  t.test(`text is shown escaped, and cut to 40 characters: ${why}`, async (t) => { t.equal(toPrintable(text, 40), shown) })
}

t.test('every text is shown on one line, within its bound, and the same if it is shown again', async (t) => {
  assertProperty(fc.tuple(fc.string({ unit: 'binary', maxLength: 40 }), fc.nat(40)), 4000, ([text, maxLength]) => {
    const shown = toPrintable(text, maxLength)
    t.ok(shown.length <= maxLength + 3 && !/[\p{C}\p{Zl}\p{Zp}]/u.test(shown) && escapeUnprintable(shown) === shown)
  })
})
