import { spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'
import Fastify, { type InjectOptions } from 'fastify'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { statuses } from '../fixtures/app.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { createSnippetApp, readPage, root, parseSnippets } from './snippets.js'

const page = readPage('docs/best-practices.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading)
}

t.test('a limit in shadow mode refuses no request', async (t) => {
  const app = await appUnder(t, 'Try a limit before it refuses')
  t.strictSame(new Set(await statuses(app, 100, '/search')), new Set([200]))
  const standings = await app.rateLimit.peek('ip:127.0.0.1')
  t.match(standings.find(({ name }) => name === 'tighter'), { remaining: 0, mode: 'shadow' })
})

t.test('what is said once holds where it should', async (t) => {
  const app = await appUnder(t, 'Define things once')
  const left = async (url: string) => Number((await app.inject(url)).headers['x-ratelimit-remaining'])
  t.strictSame([await left('/items'), await left('/report'), await left('/exports/1')], [99, 94, 9])
})

t.test('the command in the pipeline takes the options that are shown', async (t) => {
  const [, command] = /^npx fastify-sluice (.+)$/m.exec(page) ?? []
  const directory = t.testdir({ 'rate-limit.toml': 'max = 100\n' })
  const { status, stderr } = spawnSync(process.execPath, [new URL('dist/cli/index.js', root).pathname, ...command.split(' ')], { cwd: directory, encoding: 'utf8' })
  t.equal(status, 0, stderr)
})

t.test('a variable switches everything off', async (t) => {
  const [, name, value] = /`(SLUICE_ENABLED)=(\w+)`/.exec(page) ?? []
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(buildRateLimitPlugin(new ManualClock(), { [name]: value }), { max: 0 })
  app.get('/', async () => 'hello')
  const request: InjectOptions = { url: '/' }
  t.equal((await app.inject(request)).statusCode, 200)
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
