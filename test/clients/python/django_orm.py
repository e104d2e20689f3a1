"""Django: models, and migrations with vector columns and their indexes.

    pip install django "psycopg[binary]" pgvector

In a project, settings, models and migrations have files of their own; here they are in one. The
first migration has to create the extension.
"""
import math
import os
import sys
import tempfile
from pathlib import Path

import django
import numpy as np
from django.apps import AppConfig
from django.conf import settings
from django.core.management import call_command
from django.db import DataError, connection, models, transaction
from django.db.models import Avg, F, Sum
from django.db.models.functions import Cast
from pgvector import SparseVector


class FruitsConfig(AppConfig):
    name = "__main__"
    label = "fruits"


settings.configure(
    INSTALLED_APPS=["django.contrib.postgres", "__main__.FruitsConfig"],
    MIGRATION_MODULES={"fruits": "fruits_migrations"},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"], "USER": os.environ["PGUSER"],
        "PASSWORD": os.environ["PGPASSWORD"], "NAME": os.environ["PGDATABASE"]}})
django.setup()

# these can be imported when there are settings
from django.contrib.postgres.indexes import OpClass  # noqa: E402
from pgvector.django import (  # noqa: E402
    BitField, CosineDistance, HalfVectorField, HammingDistance, HnswIndex, IvfflatIndex,
    JaccardDistance, L1Distance, L2Distance, MaxInnerProduct, SparseVectorField, VectorField)


class Item(models.Model):
    color = models.TextField(null=True)
    embedding = VectorField(dimensions=3, null=True)
    half = HalfVectorField(dimensions=3, null=True)
    sparse = SparseVectorField(dimensions=5, null=True)
    bits = BitField(length=8, null=True)

    class Meta:
        app_label = "fruits"
        indexes = [
            HnswIndex(name="item_l2", fields=["embedding"], m=16, ef_construction=64,
                      opclasses=["vector_l2_ops"]),
            HnswIndex(OpClass(Cast("embedding", HalfVectorField(dimensions=3)),
                              name="halfvec_l1_ops"), name="item_as_half"),
            IvfflatIndex(name="item_lists", fields=["embedding"], lists=10,
                         opclasses=["vector_cosine_ops"]),
            HnswIndex(name="item_sparse", fields=["sparse"], opclasses=["sparsevec_ip_ops"]),
            HnswIndex(name="item_bits", fields=["bits"], opclasses=["bit_hamming_ops"]),
            # columns behind the vectors are to filter by; Django wants a class of each
            HnswIndex(name="item_colored", fields=["embedding", "color"],
                      opclasses=["vector_ip_ops", "text_ops"])]


FIRST_MIGRATION = """
from django.db import migrations
from pgvector.django import VectorExtension


class Migration(migrations.Migration):
    operations = [VectorExtension()]
"""


def ids(items):
    return [item.id for item in items]


def nearest(distance):
    return ids(Item.objects.order_by(distance)[:3])


def use():
    # insert one, and some
    Item.objects.create(color="red", embedding=[2, 1, 0], half=[2, 1, 0],
                        sparse=SparseVector([2, 1, 0, 0, 0]), bits="11111111")
    Item.objects.bulk_create([
        Item(color="red", embedding=[1, 5, 0], half=[1, 5, 0],
             sparse=SparseVector([1, 5, 0, 0, 0]), bits="00000001"),
        Item(color="blue", embedding=np.array([3, 4, 1]), half=np.array([3, 4, 1]),
             sparse=SparseVector({0: 3, 1: 4, 4: 1}, 5), bits="11000000")])
    item = Item.objects.get(id=3)
    assert (item.embedding, item.half, item.bits) == ([3, 4, 1], [3, 4, 1], "11000000")
    assert item.sparse == SparseVector([3, 4, 0, 0, 1])

    # the nearest by each distance, of each type
    near = [1, 1, 0]
    for field, vector in [("embedding", near), ("half", near),
                          ("sparse", SparseVector([1, 1, 0, 0, 0]))]:
        assert nearest(L2Distance(field, vector)) == [1, 3, 2]
        assert nearest(MaxInnerProduct(field, vector)) == [3, 2, 1]
        assert nearest(CosineDistance(field, vector)) == [3, 1, 2]
        assert nearest(L1Distance(field, vector)) == [1, 2, 3]
    assert nearest(HammingDistance("bits", "11000000")) == [3, 2, 1]
    assert nearest(JaccardDistance("bits", "11000000")) == [3, 1, 2]

    # the distance itself; filters; neighbours of a row
    items = Item.objects.annotate(distance=L2Distance("embedding", near))
    assert list(items.order_by("id").values_list("distance", flat=True)) == [1, 4, math.sqrt(14)]
    assert ids(items.filter(distance__lt=3.9).order_by("id")) == [1, 3]
    assert ids(Item.objects.filter(color="red").order_by(CosineDistance("embedding", near))) == [
        1, 2]
    red = Item.objects.get(id=1)
    assert ids(Item.objects.exclude(id=1).order_by(L2Distance("embedding", red.embedding))) == [
        3, 2]

    # aggregates
    answer = Item.objects.exclude(id=2).aggregate(Avg("embedding"), Sum("half"))
    assert answer == {"embedding__avg": [2.5, 2.5, 0.5], "half__sum": [5, 5, 1]}

    # update, upsert
    red.embedding = [0, 0, 1]
    red.save()
    assert Item.objects.get(id=1).embedding == [0, 0, 1]
    Item.objects.update_or_create(id=1, defaults={"embedding": [4, 2, 0]})
    assert Item.objects.get(id=1).embedding == [4, 2, 0]
    Item.objects.bulk_create([Item(id=1, embedding=[2, 1, 0])], update_conflicts=True,
                             unique_fields=["id"], update_fields=["embedding"])
    red.refresh_from_db()
    assert (red.color, red.embedding) == ("red", [2, 1, 0])

    # many rows; an IVFFlat index that was made before them learns its lists anew
    Item.objects.bulk_create(Item(id=i, embedding=[i, 10, i % 10]) for i in range(100, 1100))
    assert Item.objects.count() == 1003
    with connection.cursor() as cursor:
        cursor.execute("REINDEX INDEX item_lists")

    # settings of one transaction
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL hnsw.ef_search = 100")
        cursor.execute("SET LOCAL ivfflat.probes = 10")
        as_half = Cast("embedding", HalfVectorField(dimensions=3))
        for index, distance, expected in [
                ("item_l2", L2Distance("embedding", [505, 10, 4.9]), [505, 504, 506]),
                ("item_as_half", L1Distance(as_half, [505, 10, 4.8]), [505, 504, 506]),
                ("item_lists", CosineDistance("embedding", near), [3, 1, 2]),
                ("item_sparse", MaxInnerProduct("sparse", SparseVector({0: 1, 1: 1}, 5)),
                 [3, 2, 1]),
                ("item_bits", HammingDistance("bits", "11000000"), [3, 2, 1])]:
            assert index in Item.objects.order_by(distance)[:3].explain()
            assert nearest(distance) == expected
        # the nearest of those that are red; the index knows which are
        red = Item.objects.filter(color="red").order_by(MaxInnerProduct("embedding", near))[:3]
        assert "item_colored" in red.explain() and "Index Cond: (color = " in red.explain()
        assert ids(red) == [2, 1]
        # a filter, and the distance of another row's column
        assert ids(Item.objects.filter(color="red").order_by(L2Distance("embedding", near))) == [
            1, 2]
        assert Item.objects.annotate(distance=L2Distance("half", F("half"))).get(
            id=2).distance == 0

    try:
        Item.objects.create(embedding=[1, 2])
        raise AssertionError("a vector of 2 dimensions went into vector(3)")
    except DataError as error:
        assert "expected 3 dimensions, not 2" in str(error)


with tempfile.TemporaryDirectory() as directory:
    # manage.py makemigrations, migrate
    sys.path.append(directory)
    package = Path(directory, "fruits_migrations")
    package.mkdir()
    Path(package, "__init__.py").touch()
    Path(package, "0001_extension.py").write_text(FIRST_MIGRATION)
    call_command("makemigrations", "fruits", name="items", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("makemigrations", check_changes=True, verbosity=0)

    use()

    # and back
    call_command("migrate", "fruits", "zero", verbosity=0)
    assert "fruits_item" not in connection.introspection.table_names()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regtype('vector')")
        assert cursor.fetchone() == (None,)
