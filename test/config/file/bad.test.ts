import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { readConfigFile } from '../../../lib/config/file/config-file.js'

// One small file per mistake. What is said of it stands at its beginning: "# => line:column: message".
const FOLDER = 'test/config/file/bad'
const names = readdirSync(FOLDER)

for (const name of names) {
  t.test(`everything that is wrong with ${name} is told, with its place`, async (t) => {
    const path = `${FOLDER}/${name}`
    const expected = Array.from(readFileSync(path, 'utf8').matchAll(/^# => (.+)$/gm), ([, message]) => `${path}:${message}`)
    const file = readConfigFile(path)
    t.strictSame('mistakes' in file && file.mistakes.map(({ message }) => message), expected)
  })
}

t.test('there is a file for each of many mistakes', async (t) => {
  t.ok(names.length > 40)
})
