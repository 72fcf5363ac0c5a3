import neostandard from 'neostandard'

export default [
  // The operator page runs in browsers.
  { files: ['lib/routes/page/assets/*.js'], languageOptions: { globals: { Node: 'readonly', ResizeObserver: 'readonly' } } },
  ...neostandard({ ts: true, ignores: ['dist', '.modules', '.compiled', '.mutation', '.tap', 'node_modules'] }),
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error'
    }
  }
]
