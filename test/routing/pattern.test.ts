import t from 'tap'
import { compareSpecificity, toLowerCasePattern, matchesPath, parsePattern, type Pattern } from '../../lib/routing/pattern.js'

function patternOf (text: string): Pattern {
  const pattern = parsePattern(text)
  if ('mistake' in pattern) throw new TypeError(`${text}: ${pattern.mistake}`)
  return pattern
}

const matches = (pattern: string, path: string) => matchesPath(patternOf(pattern), path.split('/').slice(1))

t.test('a text that is no pattern is told what is wrong', async (t) => {
  const mistakes: ReadonlyArray<readonly [text: string, mistake: RegExp]> = [
    ['', /begins with "\/"/],
    ['api', /begins with "\/"/],
    ['**', /begins with "\/"/],
    ['http://host/api', /begins with "\/"/],
    ['//', /empty/],
    ['/api//reports', /empty/],
    ['/api/reports//', /empty/],
    ['/a*b', /"\*" must be a whole segment/],
    ['/api/**', /"\*" must be a whole segment/],
    ['/files-*', /"\*" must be a whole segment/],
    ['/api/./reports', /"\.\."/],
    ['/api/..', /"\.\."/],
    ['/api?x=1', /without "\?"/],
    ['/api#x', /without "\?"/],
    ['/caf%C3%A9', /decoded/],
    ['/:', /":name"/],
    ['/:id?', /without "\?"/],
    ['/:from-:to', /":name"/],
    ['/:id(\\d+)', /":name"/],
    ['/things:cancel', /":name"/],
    [`/${'a'.repeat(1024)}`, /1024 characters/],
    ['/a'.repeat(65), /64 segments/]
  ]
  for (const [text, mistake] of mistakes) {
    const answer = parsePattern(text)
    t.match('mistake' in answer ? answer.mistake : 'nothing', mistake, text)
  }
})

t.test('a pattern matches the paths that it says', async (t) => {
  const rows: ReadonlyArray<readonly [pattern: string, paths: readonly string[], others: readonly string[]]> = [
    ['/', [''], ['/', '/a', '//']],
    ['/api', ['/api'], ['', '/API', '/api/x', '/apis', '/ap']],
    ['/api/', ['/api'], ['/api/x']],
    ['/api/:id', ['/api/x', '/api/', '/api/:id'], ['/api', '/api/x/y', '/other/x']],
    ['/api/*/reports', ['/api/v1/reports', '/api//reports'], ['/api/reports', '/api/v1/v2/reports', '/api/v1/reports/x']],
    ['/api/*', ['/api', '/api/', '/api/x', '/api/x/y/z', '/api//x'], ['', '/', '/ap', '/apis', '/x/api']],
    ['/api/*/', ['/api', '/api/x/y'], ['/x']],
    ['/*', ['', '/', '/a', '/a/b'], []],
    ['*', ['', '/', '/a', '/a/b'], []],
    ['/*/x', ['/a/x', '//x'], ['/x', '/a/b/x']],
    ['/things::cancel', ['/things:cancel'], ['/things::cancel', '/thingsx']],
    ['/100%', ['/100%'], ['/100']],
    ['/café', ['/café'], ['/cafe']],
    ['/a'.repeat(64), ['/a'.repeat(64)], ['/a'.repeat(63), '/a'.repeat(65)]]
  ]
  for (const [pattern, paths, others] of rows) {
    for (const path of paths) t.ok(matches(pattern, path), `${pattern} matches "${path}"`)
    for (const path of others) t.notOk(matches(pattern, path), `${pattern} does not match "${path}"`)
  }
})

t.test('a segment that could not be learned may be any', async (t) => {
  t.ok(matchesPath(patternOf('/api/v1/x'), ['api', null, 'x']))
  t.notOk(matchesPath(patternOf('/api/v1/x'), ['api', null]))
  t.notOk(matchesPath(patternOf('/api/v1/x'), ['other', null, 'x']))
})

t.test('a pattern in lower case matches paths in lower case', async (t) => {
  t.ok(matchesPath(toLowerCasePattern(patternOf('/API/:Id/\u212A')), ['api', 'Id', 'k']))
})

t.test('the more specific pattern goes first', async (t) => {
  // Each goes before all that follow, on whichever side it is compared.
  const ladder: ReadonlyArray<readonly string[]> = [
    ['/api/v1/reports', '/api/v2/reports'], // texts only
    ['/api/v1'], // an end before a wild segment in its place
    ['/api/v1/:id', '/api/v2/:name'],
    ['/api/v1/*'],
    ['/api'],
    ['/api/:version/reports', '/api/*/exports'], // what comes after counts only if all before are equal
    ['/api/:version'],
    ['/api/:version/:id'],
    ['/api/:version/*'],
    ['/api/*'],
    ['/'],
    ['/:any/reports'],
    ['/:any/*'],
    ['/*', '*']
  ]
  for (const [i, upper] of ladder.entries()) {
    for (const [j, lower] of ladder.entries()) {
      for (const a of upper) {
        for (const b of lower) t.equal(Math.sign(compareSpecificity(patternOf(a), patternOf(b))), Math.sign(i - j), `${a} and ${b}`)
      }
    }
  }
})
