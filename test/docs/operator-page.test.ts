import { createHash, timingSafeEqual } from 'node:crypto'
import t from 'tap'
import { createSnippetApp, parseSnippets, readPage } from './snippets.js'

const page = readPage('docs/operator-page.md')
const PREFIX = '/admin/rate-limit'

t.test('every route of the table answers as it says', async (t) => {
  const app = await createSnippetApp(t, page, 'Turn it on', { isOperator: async () => {} })
  await app.inject('/')
  const { limits: [{ bucket }] } = (await app.inject(`${PREFIX}/page/data`)).json()
  const paths = [...page.matchAll(/^\| `GET (\S+)` \|/gm)].map(([, path]) => path.replace('…', encodeURIComponent(bucket)))
  t.equal(paths.length, 3)
  for (const path of paths) t.equal((await app.inject(PREFIX + path)).statusCode, 200, path)
  const [, body] = /`PUT \/state` with `(.*?)`/.exec(page) ?? []
  const headers = { 'content-type': 'application/json' }
  t.equal((await app.inject({ method: 'PUT', url: `${PREFIX}/state`, headers, payload: body })).statusCode, 400, 'without Redis')
})

t.test('a browser asks for the password, and the page needs it', async (t) => {
  process.env.OPERATOR_PASSWORD = 'sesame'
  t.teardown(() => { delete process.env.OPERATOR_PASSWORD })
  const app = await createSnippetApp(t, page, 'Access', { createHash, timingSafeEqual })
  const get = async (authorization?: string) => await app.inject({ url: `${PREFIX}/page`, headers: authorization === undefined ? {} : { authorization } })
  t.match(await get(), { statusCode: 401, headers: { 'www-authenticate': 'Basic realm="operators"' } })
  t.equal((await get('Basic')).statusCode, 401)
  t.equal((await get(`Basic ${Buffer.from('operator:wrong').toString('base64')}`)).statusCode, 401)
  t.match(await get(`Basic ${Buffer.from('operator:sesame').toString('base64')}`), { statusCode: 200, headers: { 'content-type': /html/ } })
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(parseSnippets(page).map(({ heading }) => heading), ['Turn it on', 'Access'])
})
