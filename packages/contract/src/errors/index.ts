export * from './error-table.ts';
export * from './store-errors.ts';
export * from './syncline-error.ts';
