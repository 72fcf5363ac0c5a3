/**
 * What the programs beside this one share: they make files, or parts of pages, from the schemas, so that these cannot
 * say what the code does not do.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)

/** Write a file that was made. With `--check` on the command line: exit 1 when it is not current. */
export function keep (path, made) {
  if (!process.argv.includes('--check')) {
    writeFileSync(new URL(path, root), made)
  } else if (made !== readFileSync(new URL(path, root), 'utf8')) {
    console.error(`${path} is not current: run \`npm run docs\``)
    process.exitCode = 1
  }
}

/** Write parts of a page, each between two comments with its name, as `keep` does. */
export function keepParts (path, parts) {
  keep(path, Object.entries(parts).reduce((text, [name, content]) => {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
    if (!text.includes(begin) || !text.includes(end)) throw new Error(`${path} has no place for ${name}`)
    return `${text.slice(0, text.indexOf(begin) + begin.length)}\n${content}\n${text.slice(text.indexOf(end))}`
  }, readFileSync(new URL(path, root), 'utf8')))
}

export function defaultOf ({ default: preset }) {
  return preset === undefined ? '' : `\`${JSON.stringify(preset).replaceAll('"', "'")}\``
}
