/**
 * Makes the README's options tables from the schemas, so that they cannot say what the code does not do.
 *
 *   node docs/options-table.js           writes them into README.md
 *   node docs/options-table.js --check   exits 1 when README.md is not current
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { RateLimitOptionsSchema, RouteRateLimitSchema } from 'fastify-sluice'

const README = new URL('../README.md', import.meta.url)

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

function defaultOf (option) {
  return option.default === undefined ? '' : `\`${JSON.stringify(option.default).replaceAll('"', "'")}\``
}

const everywhere = new Set(Object.keys(RouteRateLimitSchema.properties))
const rows = rowsOf(RateLimitOptionsSchema)
const isEverywhere = ({ path }) => everywhere.has(path.split('.')[0])
const tables = {
  'options-everywhere': table(rows.filter(isEverywhere)),
  'options-plugin': table(rows.filter((row) => !isEverywhere(row)))
}

const current = readFileSync(README, 'utf8')
const made = Object.entries(tables).reduce((text, [name, content]) => {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  return `${text.slice(0, text.indexOf(begin) + begin.length)}\n${content}\n${text.slice(text.indexOf(end))}`
}, current)

if (process.argv.includes('--check')) {
  if (made !== current) {
    console.error('README.md does not show the current options: run `npm run docs`')
    process.exitCode = 1
  }
} else {
  writeFileSync(README, made)
}
