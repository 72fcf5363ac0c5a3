import { isAlbLine, parseAlbLine } from './alb-log.js'
import { parseCommonLine } from './common-log.js'
import { createCsvParser } from './csv-log.js'
import { parseJsonLine } from './json-log.js'
import type { Block, LineParser, ParsedLine } from './log-entry.js'
import { HASH, OPENING_BRACE } from './scan.js'

/** Parses the lines of one file. Each line is parsed in the format that it has. */
export class FileParser {
  /** `undefined` before the first line, `null` if that does not name columns. */
  #csvParser: LineParser | null | undefined

  /** Parse the line between two positions of a block. Never throws. */
  parse (block: Block, start: number, end: number, line: number): ParsedLine {
    const first = block.bytes[start]
    if (end === start || first === HASH) return 'other'
    if (first === OPENING_BRACE) return parseJsonLine(block, start, end, line)
    if (this.#csvParser === undefined) {
      this.#csvParser = createCsvParser(block, start, end)
      if (this.#csvParser !== null) return 'other'
    }
    if (this.#csvParser !== null) return this.#csvParser(block, start, end, line)
    return isAlbLine(block, start, end) ? parseAlbLine(block, start, end, line) : parseCommonLine(block, start, end, line)
  }
}
