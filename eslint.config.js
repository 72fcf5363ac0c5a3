import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist', '.modules', '.compiled', '.mutation', '.tap', 'node_modules'] }),
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error'
    }
  }
]
