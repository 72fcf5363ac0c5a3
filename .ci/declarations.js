// Declarations that rollup does not write: those for CommonJS, and the namespace of compat.
/* c8 ignore start */ // the build runs this, and tap would report it as untested
import ts from 'typescript'

function parse (text) {
  return ts.createSourceFile('index.d.ts', text, ts.ScriptTarget.ESNext)
}

/** The declarations for require(), by those of the ES module and the names of the values in it. */
export function declareForRequire (text, values) {
  const classes = parse(text).statements.filter(ts.isClassDeclaration).map(({ name }) => name.text)
  const module = "'./index.js' with { 'resolution-mode': 'import' };"
  return [
    `import type * as esm from ${module}`,
    `export type * from ${module}`,
    ...values.map((name) => name === 'default'
      ? 'declare const plugin: typeof esm.default;\nexport { plugin as default };'
      : `export declare const ${name}: typeof esm.${name};`),
    ...classes.filter((name) => values.includes(name)).map((name) => `export type ${name} = esm.${name};`),
    ''
  ].join('\n')
}

const PLUGIN = 'fastifyRateLimit'

function isPlugin (statement) {
  return ts.isVariableStatement(statement) && statement.declarationList.declarations.some(({ name }) => name.text === PLUGIN)
}

/**
 * The declarations of compat, which has the shape of the original: the plugin is a namespace of the types too. For
 * CommonJS that namespace is the module, and is where an application extends the types.
 */
export function declareCompat (text, values) {
  const file = parse(text)
  const lists = file.statements.filter(ts.isExportDeclaration)
  const exported = new Set(lists.flatMap(({ exportClause }) => exportClause.elements).map(({ name }) => name.text))
  const isPublicType = (statement) =>
    (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) && exported.has(statement.name.text)
  const publicTypes = file.statements.filter(isPublicType)
  const others = file.statements.filter((statement) => !publicTypes.includes(statement) && !lists.includes(statement))
  const types = publicTypes.map(({ name }) => name.text)
  const comments = (statement) => text.slice(statement.getFullStart(), statement.getStart(file))
  return {
    forImport: `${text}\ndeclare namespace ${PLUGIN} {\n\texport type { ${types.join(', ')} };\n}\n`,
    forRequire: [
      ...others.map((statement) => isPlugin(statement)
        // A constant cannot be a namespace with values.
        ? `${comments(statement)}declare function ${PLUGIN}(...params: Parameters<FastifyRateLimit>): void;`
        : statement.getFullText(file)),
      `\n\ndeclare namespace ${PLUGIN} {`,
      ...publicTypes.map((statement) => `${comments(statement)}export ${statement.getText(file)}`.replaceAll('\n', '\n\t')),
      `\n\texport { ${values.map((name) => name === 'default' ? `${PLUGIN} as default` : name).join(', ')} };\n}\n`,
      ...types.map((name) => `import ${name} = ${PLUGIN}.${name};\n`),
      `export = ${PLUGIN};\n`
    ].join('')
  }
}
