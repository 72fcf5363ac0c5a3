/** Control characters, changes of text direction, invisible characters, Unicode line ends, and halves of characters. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu

/** Escape each character that could move a terminal's cursor, break a log line, or reverse or hide text: `\u{202e}`. */
export function escapeUnprintable (text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

/** Text from outside as a message or a log line shows it: escaped, and cut to `maxLength` characters, then "...". */
export function toPrintable (text: string, maxLength: number): string {
  const escaped = escapeUnprintable(text.slice(0, maxLength + 1))
  // A cut may halve a character.
  return escaped.length > maxLength ? `${escaped.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '')}...` : escaped
}
