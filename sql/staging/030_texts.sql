-- Purpose: symbols, enumerations, JSON texts and identifiers.
-- Params:  none.
-- Returns: nothing; makes macros.
-- Lock:    none.

-- Enumerations are compared in any letter case and without blanks around.
create or replace macro folded(t) as
    case when regexp_full_match(t, '[!-~]*') then upper(t) else upper(trim(t, e' \t\r\n\v\f')) end;

create or replace macro unified_symbol(t) as
    case when regexp_full_match(t, '[A-Z0-9]*') then t else upper(regexp_replace(trim(t, e' \t\r\n\v\f'), '[-/_]', '', 'g')) end;

-- A name as part of an identifier: a to z, 0 to 9 and single `_` between them, accents left off; null where nothing is left.
create or replace macro slug(t) as
    nullif(trim(regexp_replace(lower(strip_accents(t)), '[^a-z0-9]+', '_', 'g'), '_'), '');

-- JSON as PostgreSQL's jsonb reads it: DuckDB's own test lets NaN, Infinity and a comma after the last item pass.
create or replace macro is_json(t) as
    json_valid(t)
    and not regexp_matches(
        regexp_replace(t, '"(\\.|[^"\\])*"', '""', 'g'), '[NIni][anAN][nfNF]|,[ \t\r\n]*[\]}]'
    );

-- JSON but for a raw control character in a text, which other readers let pass and jsonb does not.
create or replace macro is_raw_json(t) as
    not is_json(t) and regexp_matches(t, '[\x01-\x1F]') and is_json(regexp_replace(t, '[\x01-\x1F]', ' ', 'g'));

-- An escape of the NUL character in a JSON text (an escaped backslash before u0000 is none).
create or replace macro has_nul_escape(t) as regexp_matches(t, '(^|[^\\])(\\\\)*\\u0000');

create or replace macro json_text(t) as to_json((t)::varchar)::varchar;

-- A number as JSON writes it: the text t as it is where JSON takes it, else the number x that it means.
create or replace macro json_number(t, x) as
    case when regexp_full_match(t, '-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?') then t else num_text(x) end;

create or replace macro json_or(t, name) as
    case when t is null then null when is_json(t) then t else '{' || json_text(name) || ': ' || json_text(t) || '}' end;

-- Members {n: name, v: JSON text or null} as one object; null where all are null.
create or replace macro json_object_of(members) as
    case
        when length(list_filter(members, lambda x: x.v is not null)) = 0 then null
        else '{' || array_to_string(
            list_transform(list_filter(members, lambda x: x.v is not null), lambda x: json_text(x.n) || ': ' || x.v), ', '
        ) || '}'
    end;

-- An object with those members that it lacks; null in, the members alone out.
create or replace macro json_unite(document, members) as
    case
        when document is null or document = '{}' then coalesce(json_object_of(members), document)
        when json_object_of(list_filter(members, lambda x: not list_contains(json_keys(document), x.n))) is null then document
        else left(document, -1) || ', '
            || substr(json_object_of(list_filter(members, lambda x: not list_contains(json_keys(document), x.n))), 2)
    end;

create or replace macro collect_in_order(x, place) as
    list_transform(
        list_filter(list_sort(list({'p': place, 'x': x})), lambda y: y.x is not null), lambda y: y.x
    );

-- The short hash that ends an identifier.
create or replace macro short_hash(source, source_table, source_key) as
    left(sha256(concat_ws('|', source, source_table, source_key)), 10);

-- Keys in the order of their numbers where they are numbers.
create or replace macro key_order(k) as
    case when regexp_full_match(k, '[0-9]{1,38}') then lpad(k, 38, '0') else '~' || k end;

create or replace macro json_member(name, value) as {'n': name, 'v': value};

create or replace macro known_texts(texts) as list_filter(texts, lambda x: x is not null);

-- Whether an object in the document names a key twice, at any depth.
create or replace macro json_repeats_name(t) as
    case
        when t is null or not is_json(t) then false
        else (
            select count(*) <> count(distinct {'p': parent, 'k': key})
            from json_tree(case when is_json(t) then t end)
        )
    end;

-- The text at a path of a JSON document; null where there is none, or something that is no text.
create or replace macro json_text_at(document, path) as
    case
        when json_valid(document) and json_type(document, path) = 'VARCHAR' then json_extract_string(document, path)
    end;
