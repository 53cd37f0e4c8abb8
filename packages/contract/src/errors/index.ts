export * from './error-table.ts';
export * from './syncline-error.ts';
