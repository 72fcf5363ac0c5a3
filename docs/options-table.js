/**
 * Makes the tables of docs/options.md from the schemas.
 *
 *   node docs/options-table.js           writes them into the page
 *   node docs/options-table.js --check   exits 1 when the page is not current
 */
import { RateLimitOptionsSchema, RouteRateLimitSchema } from 'fastify-sluice'
import { defaultOf, keepParts } from './generated.js'

/** A row for each option; those of an option that is an object follow it, by their path. */
function rowsOf (schema, prefix = '') {
  return Object.entries(schema.properties).flatMap(([key, option]) => [
    { path: prefix + key, option },
    ...(option.properties === undefined ? [] : rowsOf(option, `${prefix}${key}.`))
  ])
}

function table (rows) {
  return [
    '| option | value | default | meaning |',
    '|---|---|---|---|',
    ...rows.map(({ path, option }) => `| \`${path}\` | ${option.expected} | ${defaultOf(option)} | ${option.description} |`)
  ].join('\n')
}

const everywhere = new Set(Object.keys(RouteRateLimitSchema.properties))
const rows = rowsOf(RateLimitOptionsSchema)
const isEverywhere = ({ path }) => everywhere.has(path.split('.')[0])

keepParts('docs/options.md', {
  'options-everywhere': table(rows.filter(isEverywhere)),
  'options-plugin': table(rows.filter((row) => !isEverywhere(row)))
})
