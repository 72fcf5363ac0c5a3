// Each item of docs/mutants.md names code that is there: "- `code` to `other`, `code` to `other`: why", below the path of its file.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readPage } from './snippets.js'

const SIGN = '`'
const CHANGE = new RegExp(`^- (?:${SIGN}[^${SIGN}]+${SIGN} to (?:${SIGN}[^${SIGN}]+${SIGN}|nothing)(?:, )?)+: [A-Z].+\\.$`)
const CODE = new RegExp(`${SIGN}([^${SIGN}]+)${SIGN} to `, 'g')

const files = readPage('docs/mutants.md').split(/^### /m).slice(1)

for (const section of files) {
  const [heading, ...lines] = section.split('\n')
  const file = heading.replaceAll(SIGN, '')

  t.test(file, async (t) => {
    const source = readFileSync(file, 'utf8')
    for (const item of lines.filter((line) => line !== '' && !line.startsWith('## '))) {
      t.match(item, CHANGE, item.slice(0, 60))
      for (const [, code] of item.split(': ')[0].matchAll(CODE)) t.ok(source.includes(code), code)
    }
  })
}
