import { decodeText, type Block, type LineParser } from './log-entry.js'
import { findField, parseFields, type FieldName } from './named-fields.js'

const DELIMITERS = [',', ';', '\t']
const MAX_COLUMNS = 1000

/** The parser of a CSV file, if this line names its columns: at least those of the time, the address and the URL. Else `null`. */
export function createCsvParser (block: Block, start: number, end: number): LineParser | null {
  const heading = decodeText(block, start, end)
  const delimiter = DELIMITERS.find((one) => heading.includes(one))
  if (delimiter === undefined) return null
  const columns = new Map<FieldName, number>()
  splitLine(heading, delimiter).forEach((name, index) => {
    const field = findField(name)
    if (field !== null && !columns.has(field)) columns.set(field, index)
  })
  if (!columns.has('time') || !columns.has('address') || !columns.has('url')) return null
  return (lines, from, to, line) => {
    const values = splitLine(decodeText(lines, from, to), delimiter)
    return parseFields((field) => {
      const index = columns.get(field)
      return index === undefined ? undefined : values[index]
    }, line)
  }
}

/** Split at the delimiters outside of quotes; a quote in quotes is doubled (RFC 4180). */
function splitLine (text: string, delimiter: string): string[] {
  if (!text.includes('"')) return text.split(delimiter, MAX_COLUMNS)
  const values: string[] = []
  for (let position = 0; position <= text.length && values.length < MAX_COLUMNS;) {
    const isQuoted = text[position] === '"'
    const close = isQuoted ? findClosingQuote(text, position + 1) : position
    const found = text.indexOf(delimiter, close)
    const end = found === -1 ? text.length : found
    values.push(isQuoted ? text.slice(position + 1, close).replaceAll('""', '"') : text.slice(position, end))
    position = end + 1
  }
  return values
}

function findClosingQuote (text: string, from: number): number {
  let quote = text.indexOf('"', from)
  while (quote !== -1 && text[quote + 1] === '"') quote = text.indexOf('"', quote + 2)
  return quote === -1 ? text.length : quote
}
