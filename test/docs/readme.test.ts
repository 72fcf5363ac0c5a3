import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import Fastify from 'fastify'
import '../../lib/index.js'
import { buildRateLimitPlugin } from '../../lib/plugin.js'

const root = new URL('../../', import.meta.url)
const readme = readFileSync(new URL('README.md', root), 'utf8')

/** Time stands still, so that the refusal is the README's however slow the machine. */
const rateLimitPlugin = buildRateLimitPlugin({ nowUs: () => 0 })

/** The JavaScript blocks of the README, in order. */
const blocks = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code)

/** A block as the body of a function: what it imports is handed in, and it listens on a free port. */
function runnable (code: string) {
  const body = code.replace(/^import .*$/gm, '').replace('port: 3000', 'port: 0')
  // eslint-disable-next-line no-new-func
  return new Function('Fastify', 'rateLimitPlugin', 'app', `return (async () => { ${body}\nreturn app })()`)
}

t.test('the options tables are those of the schemas', async (t) => {
  const check = spawnSync('node', ['docs/options-table.js', '--check'], { cwd: root, encoding: 'utf8' })
  t.equal(check.status, 0, check.stderr)
})

t.test('the quick start answers its sixth login with the refusal that the README shows', async (t) => {
  const code = blocks[0].replace('const app = Fastify()', 'app = Fastify()')
  const app = await runnable(code)(Fastify, rateLimitPlugin, undefined)
  t.teardown(() => app.close())
  const url = `http://127.0.0.1:${app.server.address().port}`
  t.equal((await fetch(url)).headers.get('x-ratelimit-limit'), '100')
  let response = await fetch(`${url}/login`, { method: 'POST' })
  for (let i = 0; i < 5; i++) response = await fetch(`${url}/login`, { method: 'POST' })
  const [, head, body] = /```http\n([\s\S]*?)\n\n([\s\S]*?)\n```/.exec(readme) ?? []
  const [status, ...headers] = head.split('\n')
  t.equal(`HTTP/1.1 ${response.status} ${response.statusText}`, status)
  for (const line of headers) {
    const [name, value] = line.split(': ')
    t.equal(response.headers.get(name), value, name)
  }
  const shown = JSON.parse(body)
  t.match(await response.json(), { ...shown, instance: /^req-/ })
})

t.test('every other block declares routes that work', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 100, timeWindow: '1 minute' })
  for (const code of blocks.slice(1)) await runnable(code)(Fastify, rateLimitPlugin, app)
  t.equal((await app.inject('/search')).headers['x-ratelimit-limit'], '20')
  t.equal((await app.inject('/report')).headers['x-ratelimit-remaining'], '90')
  await app.inject('/v1/feed')
  t.equal((await app.inject('/v2/feed')).headers['x-ratelimit-remaining'], '98')
  t.equal((await app.inject('/closed')).statusCode, 429)
  t.notOk((await app.inject('/free')).headers['x-ratelimit-limit'])
  t.equal((await app.inject('/chat')).body, 'sent')
})
