import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
const [table, contributing] = ['examples/README.md', 'CONTRIBUTING.md'].map((path) => readFileSync(path, 'utf8'))
const examples = readdirSync('examples').filter((name) => existsSync(`examples/${name}/index.js`))

t.test('there are examples', async (t) => {
  t.ok(examples.includes('quickstart') && examples.includes('login'), examples.join(', '))
})

for (const name of examples) {
  t.test(`${name} has a script that builds first, a test, and a line in the tables`, async (t) => {
    const script = name === 'quickstart' ? 'demo' : `demo:${name}`
    t.equal(scripts[script], `npm run build && node examples/${name}/index.js`)
    t.ok(existsSync(`test/examples/${name}.test.ts`))
    t.match(table, `| [${name}](${name}/) | \`npm run ${script}\` |`)
    t.match(contributing, `\`npm run ${script}\``)
  })
}

t.test('no script runs an example that is not there', async (t) => {
  const named = Object.keys(scripts).filter((name) => name.startsWith('demo:')).map((name) => name.slice('demo:'.length))
  t.strictSame(named.filter((name) => !examples.includes(name)), [])
})
