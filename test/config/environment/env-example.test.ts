// .env.example is what people copy: it must be complete, and right as it stands.
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import t from 'tap'
import { durationMs } from '../../../lib/config/schema/durations.js'
import { getConfigFile, readEnvironment } from '../../../lib/config/environment/environment.js'
import { knownVariables, type KnownVariable } from '../../../lib/config/environment/environment-schema.js'
import { findKnownValue } from '../../../lib/config/environment/known-names.js'

const text = readFileSync('.env.example', 'utf8')
const shown = parseEnv(text.replace(/^#(?=SLUICE_)/gm, ''))
const { layer, mistakes } = readEnvironment(shown)
const known = knownVariables()

/** Variables without names of the application's own, and no objects whose parts are variables too. */
const plain = known.filter(({ variable, option }) => !variable.includes('<') && !known.some((other) => other.option.startsWith(`${option}.`)))

t.test('every variable of the example is known, and its value is right', async (t) => {
  t.strictSame(mistakes.map(({ message }) => message), [])
  t.equal(getConfigFile(shown), 'rate-limit.toml')
})

t.test('the example shows every variable that needs no name', async (t) => {
  t.strictSame(plain.map(({ variable }) => variable).filter((variable) => !Object.hasOwn(shown, variable)), [])
})

t.test('what has a default is shown with it', async (t) => {
  const value = ({ option }: KnownVariable) => findKnownValue(layer.options, option.split('.'))
  const comparable = (value: unknown) => durationMs(value) ?? value
  const rows = plain.filter(({ schema }) => schema.default !== undefined)
  t.ok(rows.length > 20)
  for (const row of rows) t.strictSame(comparable(value(row)), comparable(row.schema.default), row.variable)
})

t.test('the example sets nothing as long as nobody removes a comment sign', async (t) => {
  t.strictSame(parseEnv(text), {})
})

t.test('the example holds one variable once, and each in a group with a heading', async (t) => {
  const variables = Array.from(text.matchAll(/^#(SLUICE_\w+)=/gm), ([, variable]) => variable)
  t.equal(new Set(variables).size, variables.length)
  t.equal(variables.length, Object.keys(shown).length)
  const [head, ...groups] = text.split(/^# --- .* -+$/m)
  t.notMatch(head, /^#SLUICE_/m)
  for (const group of groups) t.match(group, /^#SLUICE_/m)
})
