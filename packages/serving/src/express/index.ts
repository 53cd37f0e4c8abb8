export { type CatalogOpener, createRegistryRouter } from './registry-router.ts';
