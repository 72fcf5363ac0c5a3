/**
 * Makes the tables of docs/configuration.md: each option with its variable.
 *
 *   node docs/configuration-tables.js           writes them into the page
 *   node docs/configuration-tables.js --check   exits 1 when the page is not current
 */
import { RouteRateLimitSchema } from 'fastify-sluice'
import { knownVariables } from '../.modules/config/environment/environment-schema.js'
import { defaultOf, keepParts } from './generated.js'

const RULE = 'rules.<RULE>.'
const LIMIT = 'limits.<LIMIT>.'

/** An option that only groups others has no row: it is never set as a whole. */
const options = knownVariables().filter(({ schema }) => schema.properties === undefined)
const plain = options.filter(({ option }) => !option.includes('<'))
const ofPolicies = new Set(Object.keys(RouteRateLimitSchema.properties))

function isOfPolicies ({ option }) {
  return ofPolicies.has(option.split('.')[0])
}

function table (rows, prefix = '') {
  return [
    '| option | variable | value | default |',
    '|---|---|---|---|',
    ...rows.map(({ option, variable, schema }) => `| \`${option.slice(prefix.length)}\` | \`${variable}\` | ${valueOf(schema)} | ${defaultOf(schema)} |`)
  ].join('\n')
}

function valueOf ({ expected, type }) {
  return expected ?? (type === 'array' ? 'an array' : 'text')
}

/** Those whose option begins so, but not what is said of every policy. */
function below (prefix) {
  return options.filter(({ option }) => option.startsWith(prefix) && !option.slice(prefix.length).includes('<'))
}

keepParts('docs/configuration.md', {
  'options-policy': table(plain.filter(isOfPolicies)),
  'options-limit': table(below(LIMIT).map((row) => ({ ...row, schema: { ...row.schema, default: undefined } })), LIMIT),
  'options-rule': table(below(RULE).filter((row) => !isOfPolicies({ option: row.option.slice(RULE.length) })), RULE),
  'options-plugin': table(plain.filter((row) => !isOfPolicies(row)))
})
