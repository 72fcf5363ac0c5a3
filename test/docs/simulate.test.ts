import t from 'tap'
import { HELP, parseCommandLine } from '../../lib/cli/command-line.js'
import { run } from '../cli/command.js'
import { readPage } from './snippets.js'

const page = readPage('docs/simulate.md')
const commands = [...page.matchAll(/^npx fastify-sluice (simulate .+?)(?: > \S+)?$/gm)].map(([, command]) => command.split(' '))

t.test('every command of the page runs on files of these names', async (t) => {
  t.equal(commands.length, 5)
  const log = '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET / HTTP/1.1" 200 1\n'
  const config = 'max = 100'
  const cwd = t.testdir({ 'access.log': log, 'access.log.2.gz': log, 'sample.log.gz': log, 'decisions.jsonl': log, 'rate-limit.toml': config, 'new.toml': config })
  for (const command of commands) t.match(await run(command, { cwd }), { status: 0, stderr: '' }, command.join(' '))
})

t.test('every flag of the page is one of the command', async (t) => {
  const flags = new Set([...page.matchAll(/(?<!-)(--[a-z][a-z-]*)/g)].map(([, flag]) => flag).filter((flag) => flag !== '--only'))
  for (const flag of flags) {
    t.match(HELP, `  ${flag} `)
    t.not(parseCommandLine(['simulate', flag], null), { kind: 'misuse', message: /unknown/ })
  }
})
