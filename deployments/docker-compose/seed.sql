-- Three cells and 24 tenants, unless they are there: plain SQL, as any tool may write the registry.
BEGIN;
INSERT INTO cells (id, state, tenancy, tier, region) VALUES
    ('cell-shared-std-local', 'active', 'shared', 'std', 'local'),
    ('cell-shared-std-eu', 'active', 'shared', 'std', 'eu'),
    ('cell-dedicated-ent-us', 'active', 'dedicated', 'ent', 'us')
ON CONFLICT DO NOTHING;
INSERT INTO endpoints (cell_id, address, port)
SELECT id, 'alphaswarm-' || id || '-api', 8000 FROM cells WHERE NOT EXISTS (SELECT FROM endpoints WHERE cell_id = id);
INSERT INTO tenants (id, cell_id, state) VALUES ('acme', 'cell-shared-std-local', 'active')
ON CONFLICT DO NOTHING;
INSERT INTO tenants (id, cell_id, state)
SELECT 'tenant-' || n,
       (ARRAY['cell-shared-std-local', 'cell-shared-std-eu', 'cell-dedicated-ent-us'])[1 + n % 3], 'active'
FROM generate_series(1, 23) AS n
ON CONFLICT DO NOTHING;
COMMIT;
